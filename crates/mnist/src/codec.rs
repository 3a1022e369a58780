//! How the digits are kept: each row as where its ink begins and ends, then the pixels between, each predicted from its
//! four neighbours that are already known. Probabilities are counted once, over all images, and kept with them.

use crate::ans::{Decoder, Encoder, Table, shares};

/// Rows and columns of an image.
pub const SIDE: usize = 28;
/// Bytes of an image.
pub const IMAGE: usize = SIDE * SIDE;
/// A row above, and columns left and right, that are always 0.
const STRIDE: usize = SIDE + 2;

/// Where a row's ink begins (28: there is none), and where it ends: columns 0..=28.
const EDGES: usize = SIDE + 1;
/// Black, sixteen groups of sixteen grey levels, and the four brightest levels, which are frequent.
const TOKENS: usize = 21;
/// The tokens above these many are single grey levels.
const GROUPS: usize = 17;
/// Left and upper neighbour in ten levels, upper left and upper right in four.
const CONTEXTS: usize = 10 * 10 * 4 * 4;

/// The probabilities of everything.
#[derive(Debug)]
pub struct Model {
    begin: Vec<Table<EDGES>>,
    end: Vec<Table<EDGES>>,
    pixel: Vec<Table<TOKENS>>,
}

impl Model {
    /// How many bytes [`Model::count`] returns.
    pub const BYTES: usize = 2 * (2 * EDGES * EDGES + CONTEXTS * TOKENS);

    /// Reads what [`Model::count`] returned; `None` when the length is wrong.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES {
            return None;
        }
        let mut shares = bytes.as_chunks::<2>().0.iter().map(|&word| u16::from_le_bytes(word));
        Some(Self {
            begin: read_tables(&mut shares, EDGES),
            end: read_tables(&mut shares, EDGES),
            pixel: read_tables(&mut shares, CONTEXTS),
        })
    }

    /// Counts how often everything occurs in `images`, and returns the probabilities as bytes.
    #[must_use]
    pub fn count(images: &[u8]) -> Vec<u8> {
        let mut counter = Counter {
            begin: vec![[0; EDGES]; EDGES],
            end: vec![[0; EDGES]; EDGES],
            pixel: vec![[0; TOKENS]; CONTEXTS],
        };
        images.chunks_exact(IMAGE).for_each(|image| walk(image, &mut counter));
        let begin = counter.begin.iter().flat_map(shares);
        let end = counter.end.iter().flat_map(shares);
        let pixel = counter.pixel.iter().flat_map(shares);
        begin.chain(end).chain(pixel).flat_map(u16::to_le_bytes).collect()
    }

    /// Encodes images.
    #[must_use]
    pub fn encode(&self, images: &[u8]) -> Vec<u8> {
        let mut writer = Writer { model: self, encoder: Encoder::default() };
        images.chunks_exact(IMAGE).for_each(|image| walk(image, &mut writer));
        writer.encoder.finish()
    }

    /// Decodes as many images as fit into `images`, which is zeroed.
    pub fn decode(&self, bytes: &[u8], images: &mut [u8]) {
        let mut decoder = Decoder::new(bytes);
        // One row above the image and one column on each side are 0, as are all rows until they are decoded.
        let mut rows = [[0u8; STRIDE]; 2];
        for image in images.as_chunks_mut::<IMAGE>().0 {
            rows[0] = [0; STRIDE];
            let mut before = (SIDE, 0);
            for row in image.as_chunks_mut::<SIDE>().0 {
                let [above, this] = &mut rows;
                before = self.decode_row(&mut decoder, before, above, this);
                *row = this[1..=SIDE].try_into().unwrap_or([0; SIDE]);
                rows.swap(0, 1);
            }
        }
    }

    fn decode_row(
        &self,
        decoder: &mut Decoder<'_>,
        before: (usize, usize),
        above: &[u8; STRIDE],
        this: &mut [u8; STRIDE],
    ) -> (usize, usize) {
        *this = [0; STRIDE];
        let begin = decoder.token(&self.begin[before.0]);
        if begin == SIDE {
            return (SIDE, 0);
        }
        let end = decoder.token(&self.end[before.1]).min(SIDE);
        let mut left = 0;
        for x in begin..end {
            let context = context(left, [above[x], above[x + 1], above[x + 2]]);
            let token = decoder.token(&self.pixel[context]);
            left = match token {
                0 => 0,
                1..GROUPS => ((token - 1) << 4) as u8 | decoder.bits(4) as u8,
                _ => (252 + token - GROUPS) as u8,
            };
            this[x + 1] = left;
        }
        (begin, end)
    }
}

fn read_tables<const N: usize>(
    shares: &mut impl Iterator<Item = u16>,
    contexts: usize,
) -> Vec<Table<N>> {
    (0..contexts).map(|_| Table::new(std::array::from_fn(|_| shares.next().unwrap_or(0)))).collect()
}

/// The number of the context that a pixel is in, from its left, and its three upper neighbours from left to right.
#[inline]
fn context(left: u8, [upper_left, upper, upper_right]: [u8; 3]) -> usize {
    let fine = |value: u8| usize::from(FINE[usize::from(value)]);
    let coarse = |value: u8| usize::from(COARSE[usize::from(value)]);
    ((fine(left) * 10 + fine(upper)) * 4 + coarse(upper_left)) * 4 + coarse(upper_right)
}

/// Black, eight steps, and nearly white.
const FINE: [u8; 256] = levels([1, 32, 64, 96, 128, 160, 192, 224, 252]);
/// Black, dark, light and nearly white.
const COARSE: [u8; 256] = levels([1, 128, 252]);

/// For each grey level, how many of the bounds it reaches.
const fn levels<const N: usize>(bounds: [usize; N]) -> [u8; 256] {
    let mut levels = [0; 256];
    let mut at = 0;
    while at < N {
        let mut value = bounds[at];
        while value < 256 {
            levels[value] += 1;
            value += 1;
        }
        at += 1;
    }
    levels
}

/// What an image is made of, in the order of decoding.
trait Visitor {
    fn begin(&mut self, before: usize, column: usize);
    fn end(&mut self, before: usize, column: usize);
    fn pixel(&mut self, context: usize, value: u8);
}

/// Shows an image to a visitor.
fn walk(image: &[u8], visitor: &mut impl Visitor) {
    let mut above = [0u8; STRIDE];
    let mut before = (SIDE, 0);
    for row in image.chunks_exact(SIDE) {
        let mut this = [0; STRIDE];
        this[1..=SIDE].copy_from_slice(row);
        let begin = row.iter().position(|&value| value > 0).unwrap_or(SIDE);
        let end = row.iter().rposition(|&value| value > 0).map_or(0, |last| last + 1);
        visitor.begin(before.0, begin);
        if begin < SIDE {
            visitor.end(before.1, end);
        }
        for x in begin..end {
            let left = if x == begin { 0 } else { this[x] };
            visitor.pixel(context(left, [above[x], above[x + 1], above[x + 2]]), this[x + 1]);
        }
        (above, before) = (this, (begin, end));
    }
}

/// A grey level's token.
fn token(value: u8) -> usize {
    match value {
        0 => 0,
        252.. => usize::from(value - 252) + GROUPS,
        _ => usize::from(value >> 4) + 1,
    }
}

struct Counter {
    begin: Vec<[u64; EDGES]>,
    end: Vec<[u64; EDGES]>,
    pixel: Vec<[u64; TOKENS]>,
}

impl Visitor for Counter {
    fn begin(&mut self, before: usize, column: usize) {
        self.begin[before][column] += 1;
    }

    fn end(&mut self, before: usize, column: usize) {
        self.end[before][column] += 1;
    }

    fn pixel(&mut self, context: usize, value: u8) {
        self.pixel[context][token(value)] += 1;
    }
}

struct Writer<'a> {
    model: &'a Model,
    encoder: Encoder,
}

impl Visitor for Writer<'_> {
    fn begin(&mut self, before: usize, column: usize) {
        self.encoder.token(&self.model.begin[before], column);
    }

    fn end(&mut self, before: usize, column: usize) {
        self.encoder.token(&self.model.end[before], column);
    }

    fn pixel(&mut self, context: usize, value: u8) {
        self.encoder.token(&self.model.pixel[context], token(value));
        if (1..252).contains(&value) {
            self.encoder.bits(u32::from(value & 15), 4);
        }
    }
}
