//! One part of MNIST as a run of bytes.
//!
//! ```text
//! number of labels u32, CRC-32 of the labels u32
//! labels, two to a byte, the first in the low half
//! model: the probabilities
//! groups, each: CRC-32 of its pixels u32, for each lane the bytes of its tokens u32 and of its low halves u32; then for
//!     each lane its tokens and its low halves
//! ```

use std::num::NonZero;
use std::sync::Mutex;
use std::thread;

use crate::Error;
use crate::codec::{IMAGE, LANES, Model, Scratch, Tables, decode, lane_len};
use crate::nibbles;

/// Images of a group; groups are decoded side by side.
const GROUP: usize = LANES * 250;

/// Packs images (u8 [N, 28, 28]) and labels (u8 `[N]` in 0..16).
///
/// # Panics
/// When images and labels differ in number or a label does not fit into half a byte.
#[must_use]
pub fn pack(images: &[u8], labels: &[u8]) -> Vec<u8> {
    assert!(images.len() == labels.len() * IMAGE && labels.iter().all(|&label| label < 16));
    let mut blob = Vec::new();
    blob.extend((labels.len() as u32).to_le_bytes());
    blob.extend(crc32fast::hash(labels).to_le_bytes());
    blob.extend(nibbles::pack(labels));
    let model = Model::count(images);
    blob.extend(model.to_bytes());
    for group in images.chunks(GROUP * IMAGE) {
        let mut lanes = group.chunks(lane_len(group.len()));
        let lanes: [_; LANES] =
            std::array::from_fn(|_| model.encode(lanes.next().unwrap_or_default()));
        blob.extend(crc32fast::hash(group).to_le_bytes());
        let lens = lanes.iter().flatten().map(|bytes| bytes.len() as u32);
        blob.extend(lens.flat_map(u32::to_le_bytes));
        blob.extend(lanes.iter().flatten().flatten());
    }
    blob
}

/// Unpacks labels and images, on as many threads as there are processors.
pub(crate) fn unpack(mut blob: &[u8]) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let blob = &mut blob;
    let count = take_u32(blob)? as usize;
    let label_checksum = take_u32(blob)?;
    let packed = take(blob, count.div_ceil(2))?;
    let mut labels: Vec<u8> = packed.iter().flat_map(|two| [two & 15, two >> 4]).collect();
    labels.truncate(count);
    if crc32fast::hash(&labels) != label_checksum {
        return Err(Error::Checksum);
    }
    let model = Model::read(take(blob, Model::BYTES)?).ok_or(Error::Truncated)?;
    let mut images = vec![0; count * IMAGE];
    let rooms = images.chunks_mut(GROUP * IMAGE);
    let groups: Result<Vec<_>, _> = rooms.map(|room| Group::take(blob, room)).collect();
    decode_all(&Tables::new(&model), groups?)?;
    Ok((labels, images))
}

/// Images that are decoded together.
struct Group<'a, 'r> {
    checksum: u32,
    lanes: [[&'a [u8]; 2]; LANES],
    room: &'r mut [u8],
}

impl<'a, 'r> Group<'a, 'r> {
    fn take(blob: &mut &'a [u8], room: &'r mut [u8]) -> Result<Self, Error> {
        let checksum = take_u32(blob)?;
        let mut lens = [[0; 2]; LANES];
        for len in lens.as_flattened_mut() {
            *len = take_u32(blob)? as usize;
        }
        let mut lanes = [[&[][..]; 2]; LANES];
        for (bytes, len) in lanes.as_flattened_mut().iter_mut().zip(lens.as_flattened()) {
            *bytes = take(blob, *len)?;
        }
        Ok(Self { checksum, lanes, room })
    }

    fn decode(self, tables: &Tables, scratch: &mut Scratch) -> Result<(), Error> {
        decode(tables, self.lanes, self.room, scratch);
        if crc32fast::hash(self.room) == self.checksum { Ok(()) } else { Err(Error::Checksum) }
    }
}

fn decode_all(tables: &Tables, groups: Vec<Group<'_, '_>>) -> Result<(), Error> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(groups.len());
    let open = Mutex::new(groups.into_iter());
    let next = || open.lock().ok().and_then(|mut groups| groups.next());
    let work = || {
        let mut scratch = Scratch::default();
        while let Some(group) = next() {
            group.decode(tables, &mut scratch)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others
            .into_iter()
            .fold(mine, |all, thread| all.and(thread.join().unwrap_or(Err(Error::Checksum))))
    })
}

fn take<'a>(blob: &mut &'a [u8], count: usize) -> Result<&'a [u8], Error> {
    let (taken, rest) = blob.split_at_checked(count).ok_or(Error::Truncated)?;
    *blob = rest;
    Ok(taken)
}

fn take_u32(blob: &mut &[u8]) -> Result<u32, Error> {
    let bytes = take(blob, 4)?;
    bytes.try_into().map(u32::from_le_bytes).map_err(|_| Error::Truncated)
}
