//! How the digits are kept: where each row's ink begins and ends, then the pixels of the ink, each predicted from its
//! four neighbours that are already known. Probabilities are counted once, over all images, and kept with them.
//!
//! Each number that is decoded depends on the one before, which leaves a processor idle. So four lanes of images are
//! decoded at once, their steps in turn, and without branches on what was decoded.

use crate::ans::{Decoder, Encoder, SLOTS, Slots, shares, slots};
use crate::nibbles::{Nibbles, pack};

/// Rows and columns of an image.
pub const SIDE: usize = 28;
/// Bytes of an image.
pub const IMAGE: usize = SIDE * SIDE;
/// Lanes that are decoded at once.
pub const LANES: usize = 4;

/// Where a row's ink begins (28: there is none), and where it ends: columns 0..=28.
const EDGES: usize = SIDE + 1;
/// Contexts of an edge, with room for what a damaged file may say; in the last, the end of a row without ink, 0 is
/// certain.
const EDGE_CONTEXTS: usize = 32;
/// Black, sixteen groups of sixteen grey levels, and the four brightest levels, which are frequent.
const TOKENS: usize = 21;
/// The tokens above these many are single grey levels.
const GROUPS: usize = 17;
/// Left and upper neighbour in eight levels, upper left and upper right in four.
const CONTEXTS: usize = 8 * 8 * 4 * 4;

/// The probabilities of everything, as shares.
#[derive(Debug)]
pub struct Model {
    begin: Vec<[u16; EDGES]>,
    end: Vec<[u16; EDGES]>,
    pixel: Vec<[u16; TOKENS]>,
}

impl Model {
    /// How many bytes [`Model::to_bytes`] returns.
    pub const BYTES: usize = 2 * (2 * EDGES * EDGES + CONTEXTS * TOKENS);

    /// Reads what [`Model::to_bytes`] returned; `None` when the length is wrong.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::BYTES {
            return None;
        }
        let mut words = bytes.as_chunks::<2>().0.iter().map(|&word| u16::from_le_bytes(word));
        Some(Self {
            begin: read_shares(&mut words, EDGES),
            end: read_shares(&mut words, EDGES),
            pixel: read_shares(&mut words, CONTEXTS),
        })
    }

    /// The shares as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let edges = self.begin.iter().chain(&self.end).flatten();
        edges.chain(self.pixel.iter().flatten()).flat_map(|share| share.to_le_bytes()).collect()
    }

    /// Counts how often everything occurs in `images`.
    #[must_use]
    pub fn count(images: &[u8]) -> Self {
        let mut counter = Counter {
            begin: vec![[0; EDGES]; EDGES],
            end: vec![[0; EDGES]; EDGES],
            pixel: vec![[0; TOKENS]; CONTEXTS],
        };
        walk(images, &mut counter);
        Self {
            begin: counter.begin.iter().map(shares).collect(),
            end: counter.end.iter().map(shares).collect(),
            pixel: counter.pixel.iter().map(shares).collect(),
        }
    }

    /// Encodes the images of a lane: the tokens, and the low halves of the grey levels.
    #[must_use]
    pub fn encode(&self, images: &[u8]) -> [Vec<u8>; 2] {
        let mut writer = Writer { model: self, encoder: Encoder::default(), halves: Vec::new() };
        walk(images, &mut writer);
        [writer.encoder.finish(), pack(&writer.halves)]
    }
}

fn read_shares<const N: usize>(
    words: &mut impl Iterator<Item = u16>,
    contexts: usize,
) -> Vec<[u16; N]> {
    (0..contexts).map(|_| std::array::from_fn(|_| words.next().unwrap_or(0))).collect()
}

/// What decoding looks up.
#[derive(Debug)]
pub struct Tables {
    begin: [Slots; EDGE_CONTEXTS],
    end: [Slots; EDGE_CONTEXTS],
    pixel: Box<[Slots; CONTEXTS]>,
}

/// The context of the end of a row without ink.
const NO_INK: usize = EDGE_CONTEXTS - 1;

impl Tables {
    /// Makes the tables of a model.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let pixel: Vec<Slots> = model.pixel.iter().map(|shares| slots(shares, meaning)).collect();
        let edges = |shares: &[[u16; EDGES]]| {
            std::array::from_fn(|context| match shares.get(context) {
                Some(shares) => slots(shares, |column| column as u16),
                None => slots(&[SLOTS as u16], |column| column as u16),
            })
        };
        Self {
            begin: edges(&model.begin),
            end: edges(&model.end),
            pixel: pixel.try_into().unwrap_or_else(|_| unreachable!("a model has all contexts")),
        }
    }
}

/// One lane on its way.
#[derive(Debug)]
struct Lane<'a> {
    tokens: Decoder<'a>,
    halves: Nibbles<'a>,
    images: &'a mut [u8],
    /// Where the row before begins and ends.
    before: (usize, usize),
    rows: usize,
    /// The positions of the ink, of which `inked` are known, and room for one more row.
    ink: &'a mut [u32],
    inked: usize,
    /// Pixels decoded.
    done: usize,
    /// The position behind the last pixel, and its level.
    after: usize,
    level: usize,
}

/// Memory for decoding, for use again and again.
#[derive(Debug, Default)]
pub struct Scratch([Vec<u32>; LANES]);

/// Decodes the lanes (tokens, low halves) of a group into its images. The first lanes have `images.len() / LANES` images,
/// rounded up.
pub fn decode(
    tables: &Tables,
    lanes: [[&[u8]; 2]; LANES],
    images: &mut [u8],
    scratch: &mut Scratch,
) {
    // Memory that is fresh from the system comes page by page with the first writing; reading it first costs twice.
    images.fill(0);
    let mut rooms = images.chunks_mut(lane_len(images.len()));
    let mut inks = scratch.0.iter_mut();
    let lanes = lanes.map(|[tokens, halves]| {
        let images = rooms.next().unwrap_or_default();
        let ink = inks.next().map_or(&mut [][..], |ink| {
            if ink.len() < images.len() + SIDE {
                *ink = vec![0; images.len() + SIDE];
            }
            &mut ink[..]
        });
        let tokens = Decoder::new(tokens);
        let (halves, before) = (Nibbles::new(halves), (SIDE, 0));
        let (rows, inked, done, after, level) = (0, 0, 0, 0, 0);
        Lane { tokens, halves, images, before, rows, ink, inked, done, after, level }
    });
    in_turn::<Pixel>(in_turn::<Edges>(lanes, tables), tables);
}

/// A step of decoding.
trait Step {
    /// How many a lane has to take.
    fn count(lane: &Lane<'_>) -> usize;
    /// Takes the next.
    fn take(lane: &mut Lane<'_>, tables: &Tables);
}

/// Takes all steps of one kind: those that all lanes have in turn, then the rest of each.
fn in_turn<'a, S: Step>(lanes: [Lane<'a>; LANES], tables: &Tables) -> [Lane<'a>; LANES] {
    let counts = lanes.each_ref().map(S::count);
    let shared = counts.into_iter().min().unwrap_or(0);
    // Four variables, not an array, so that the compiler may keep what is in them in registers.
    let [mut a, mut b, mut c, mut d] = lanes;
    for _ in 0..shared {
        S::take(&mut a, tables);
        S::take(&mut b, tables);
        S::take(&mut c, tables);
        S::take(&mut d, tables);
    }
    let mut lanes = [a, b, c, d];
    for (lane, count) in lanes.iter_mut().zip(counts) {
        (shared..count).for_each(|_| S::take(lane, tables));
    }
    lanes
}

/// Bytes of the images of a lane, where a group has `len`.
pub fn lane_len(len: usize) -> usize {
    (len / IMAGE).div_ceil(LANES).max(1) * IMAGE
}

/// Where the ink of a row begins and ends.
struct Edges;

impl Step for Edges {
    fn count(lane: &Lane<'_>) -> usize {
        lane.images.len() / SIDE
    }

    #[inline(always)]
    fn take(lane: &mut Lane<'_>, tables: &Tables) {
        let (begin, end) = lane.before;
        let begin = lane.tokens.token(&tables.begin[begin % EDGE_CONTEXTS]) as usize;
        let context = if begin == SIDE { NO_INK } else { end };
        let end = lane.tokens.token(&tables.end[context % EDGE_CONTEXTS]) as usize;
        lane.before = (begin, end);
        // A whole row is written, so that it takes no loop of unknown length.
        let first = (lane.rows * SIDE + begin) as u32;
        let Some(room) = lane.ink[lane.inked..].first_chunk_mut::<SIDE>() else { return };
        *room = std::array::from_fn(|column| first + column as u32);
        lane.inked += end.saturating_sub(begin).min(SIDE);
        lane.rows += 1;
    }
}

/// A pixel of the ink.
struct Pixel;

impl Step for Pixel {
    fn count(lane: &Lane<'_>) -> usize {
        lane.inked
    }

    #[inline(always)]
    fn take(lane: &mut Lane<'_>, tables: &Tables) {
        let at = lane.ink[lane.done] as usize;
        let left = if at == lane.after { lane.level } else { 0 };
        let known = lane.images.get(..at).and_then(|known| known.last_chunk::<{ SIDE + 1 }>());
        let upper = match known {
            Some(known) => [known[0], known[1], known[2]],
            None => above(lane.images, at),
        };
        let meaning = lane.tokens.token(&tables.pixel[context(left, upper) % CONTEXTS]);
        let half = lane.halves.next(meaning >> HALF & 1);
        if let Some(pixel) = lane.images.get_mut(at) {
            *pixel = meaning as u8 | half;
        }
        (lane.level, lane.after) = ((meaning >> LEVEL) as usize, at + 1);
        lane.done += 1;
    }
}

/// In what a token stands for: after eight bits of the grey level, whether its low half is kept elsewhere.
const HALF: u32 = 8;
/// In what a token stands for: above these bits is the level that it gives its right neighbour's context.
const LEVEL: u32 = 9;

/// What a pixel's token stands for.
fn meaning(token: usize) -> u16 {
    let (value, half) = match token {
        0 => (0, 0),
        1..GROUPS => ((token - 1) << 4, 1),
        _ => (252 + token - GROUPS, 0),
    };
    let seen = if token == 1 { 1 } else { value };
    (value | half << HALF | usize::from(FINE[seen % 256]) << LEVEL) as u16
}

/// A grey level's token.
fn token(value: u8) -> usize {
    match value {
        0 => 0,
        252.. => usize::from(value - 252) + GROUPS,
        _ => usize::from(value >> 4) + 1,
    }
}

/// The upper left, upper and upper right neighbour of the pixel at `at`; pixels before the first are black, and the rows
/// are seen as one line.
#[cold]
fn above(images: &[u8], at: usize) -> [u8; 3] {
    [SIDE + 1, SIDE, SIDE - 1]
        .map(|before| at.checked_sub(before).and_then(|at| images.get(at)).copied().unwrap_or(0))
}

/// The number of the context that a pixel is in, from its left neighbour's level and its three upper neighbours.
#[inline]
fn context(left: usize, [upper_left, upper, upper_right]: [u8; 3]) -> usize {
    let fine = |value: u8| usize::from(FINE[usize::from(value)]);
    let coarse = |value: u8| usize::from(COARSE[usize::from(value)]);
    left << 7 | fine(upper) << 4 | coarse(upper_left) << 2 | coarse(upper_right)
}

/// Black, six steps, and nearly white; all the grey levels of a token that shares them have the same.
const FINE: [u8; 256] = levels([1, 48, 96, 144, 192, 240, 252]);
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

/// What the images of a lane are made of, in the order of decoding.
trait Visitor {
    fn begin(&mut self, before: usize, column: usize);
    fn end(&mut self, before: usize, column: usize);
    fn pixel(&mut self, context: usize, value: u8);
}

/// Shows the images of a lane to a visitor.
fn walk(images: &[u8], visitor: &mut impl Visitor) {
    let mut ink = Vec::new();
    let mut before = (SIDE, 0);
    for (index, row) in images.chunks_exact(SIDE).enumerate() {
        let begin = row.iter().position(|&value| value > 0).unwrap_or(SIDE);
        let end = row.iter().rposition(|&value| value > 0).map_or(0, |last| last + 1);
        visitor.begin(before.0, begin);
        if begin < SIDE {
            visitor.end(before.1, end);
        }
        ink.extend((begin..end).map(|column| index * SIDE + column));
        before = (begin, end);
    }
    for at in ink {
        let left = at.checked_sub(1).map_or(0, |left| FINE[usize::from(images[left])]);
        visitor.pixel(context(left.into(), above(images, at)), images[at]);
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
    halves: Vec<u8>,
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
            self.halves.push(value & 15);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every grey level comes back from its token and low half, and its right neighbour sees the level that a walk sees.
    #[test]
    fn a_token_stands_for_its_grey_levels() {
        for value in 0..=255_u8 {
            let meaning = u32::from(meaning(token(value)));
            let half = if meaning >> HALF & 1 == 1 { value & 15 } else { 0 };
            assert_eq!(meaning as u8 | half, value);
            assert_eq!(meaning >> LEVEL, u32::from(FINE[usize::from(value)]), "{value}");
        }
    }
}
