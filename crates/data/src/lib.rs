//! Image data for percept: datasets, splits, transforms, digit preparation and readers of image files.
//!
//! The way of an image through this crate: a folder is recognised by [`sources`], read into a [`Dataset`], divided into
//! [`Splits`], and handed to the network chunk by chunk by a [`Loader`], augmented on the way ([`transform`]). A person's own
//! picture is read as a [`Picture`] and made ready by the same [`Preprocessing`] that the network was trained with.
//!
//! Nothing here knows a network. Randomness is a function of (seed, purpose, epoch, example) only.

pub mod check;
pub mod contact_sheet;
mod dataset;
mod decoding;
mod digit;
mod error;
mod growing;
mod image_file;
mod jpeg;
mod loader;
mod mixing;
pub mod named;
mod normalisation;
mod origin;
pub mod pixel_cache;
mod pixels;
mod preprocessing;
mod resize;
mod sizing;
pub mod sources;
mod splits;
pub mod transform;

pub use dataset::{Dataset, ImageShape};
pub use decoding::{Decoding, Doing, Progress, Watcher};
pub use error::Error;
pub use image_file::{MAX_DECODED_BYTES, MAX_SIDE, Picture, StoredPicture};
pub use loader::{Loader, LoaderScratch};
pub use mixing::Mix;
pub use normalisation::Normalisation;
pub use origin::{Origin, Skipped};
pub use pixels::Pixels;
pub use preprocessing::Preprocessing;
pub use sizing::{Fit, Sizing};
pub use splits::{HoldOut, Part, Splits, TestPart};
pub use transform::{Augmentation, Mirror, Outside, mirror_images};
