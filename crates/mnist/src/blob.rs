//! One part of MNIST as a run of bytes.
//!
//! ```text
//! number of labels u32, CRC-32 of the labels u32
//! labels, two to a byte, the first in the low half
//! model: the probabilities
//! pieces, each: length u32, CRC-32 of its pixels u32, encoded images
//! ```

use std::num::NonZero;
use std::sync::Mutex;
use std::thread;

use crate::Error;
use crate::codec::{IMAGE, Model};

/// Images of a piece; pieces are decoded side by side.
const PIECE: usize = 2500;

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
    blob.extend(labels.chunks(2).map(|two| two[0] | two.get(1).unwrap_or(&0) << 4));
    let model = Model::count(images);
    blob.extend(&model);
    let model = Model::read(&model).unwrap_or_else(|| unreachable!("a model reads what it wrote"));
    for piece in images.chunks(PIECE * IMAGE) {
        let bytes = model.encode(piece);
        blob.extend((bytes.len() as u32).to_le_bytes());
        blob.extend(crc32fast::hash(piece).to_le_bytes());
        blob.extend(bytes);
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
    let mut pieces = Vec::new();
    for room in images.chunks_mut(PIECE * IMAGE) {
        let (len, checksum) = (take_u32(blob)? as usize, take_u32(blob)?);
        pieces.push((take(blob, len)?, checksum, room));
    }
    decode(&model, pieces)?;
    Ok((labels, images))
}

/// Decodes all pieces (bytes, checksum, room for the images).
fn decode(model: &Model, pieces: Vec<(&[u8], u32, &mut [u8])>) -> Result<(), Error> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(pieces.len());
    let open = Mutex::new(pieces.into_iter());
    let next = || open.lock().ok().and_then(|mut pieces| pieces.next());
    let work = || {
        while let Some((bytes, checksum, room)) = next() {
            model.decode(bytes, room);
            if crc32fast::hash(room) != checksum {
                return Err(Error::Checksum);
            }
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
