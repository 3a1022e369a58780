//! Weights and images from safetensors files.

use crate::Result;
use percept_nn::shape::Shape;
use safetensors::SafeTensors;
use std::collections::BTreeMap;

/// Named arrays of f32 in percept's layout, with their shapes.
#[derive(Debug)]
pub struct Weights(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Weights {
    /// Reads a file.
    ///
    /// # Errors
    /// Where it cannot be read or is not safetensors.
    pub fn read(path: &str) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| format!("{path}: {error}"))?;
        let tensors = file.iter().map(|(name, view)| {
            (name.to_owned(), (view.shape().to_vec(), numbers(view.data(), f32::from_le_bytes)))
        });
        Ok(Self(tensors.collect()))
    }

    /// The numbers of a tensor.
    ///
    /// # Panics
    /// Where there is no tensor of that name: a worker cannot go on without it.
    #[must_use]
    pub fn get(&self, name: &str) -> &[f32] {
        &self.0.get(name).unwrap_or_else(|| panic!("the weights have no {name}")).1
    }

    /// Every name with its shape and numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[usize], &[f32])> {
        self.0.iter().map(|(name, (shape, data))| (name.as_str(), &shape[..], &data[..]))
    }

    /// A convolution's weight, `[height, width, in, out]`, as `[out, in, height, width]`.
    #[must_use]
    pub fn conv_as_oihw(&self, name: &str) -> (Vec<f32>, [usize; 4]) {
        let (shape, data) = &self.0[name];
        let [height, width, inputs, outputs] = [shape[0], shape[1], shape[2], shape[3]];
        let mut moved = Vec::with_capacity(data.len());
        for o in 0..outputs {
            for i in 0..inputs {
                moved.extend((0..height * width).map(|at| data[(at * inputs + i) * outputs + o]));
            }
        }
        (moved, [outputs, inputs, height, width])
    }

    /// A dense layer's weight `[in, out]` whose inputs come as `[channels, height, width]` instead of
    /// `[height, width, channels]`.
    #[must_use]
    pub fn dense_by_channel(&self, name: &str, flattened: Shape) -> Vec<f32> {
        let (shape, data) = &self.0[name];
        let (channels, outputs) = (flattened.channels, shape[1]);
        let pixels = shape[0] / channels;
        let rows = (0..channels).flat_map(|c| (0..pixels).map(move |pixel| pixel * channels + c));
        rows.flat_map(|row| data[row * outputs..][..outputs].iter().copied()).collect()
    }
}

/// Images with their labels.
#[derive(Debug)]
pub struct Images {
    /// f32 `[images, height, width, channels]`.
    pub pixels: Vec<f32>,
    /// One class number for each image.
    pub labels: Vec<u32>,
}

impl Images {
    /// Reads a file with the tensors `pixels` (f32) and `labels` (u32).
    ///
    /// # Errors
    /// Where it cannot be read, is not safetensors or lacks one of them.
    pub fn read(path: &str) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| format!("{path}: {error}"))?;
        let pixels = numbers(file.tensor("pixels")?.data(), f32::from_le_bytes);
        let labels = numbers(file.tensor("labels")?.data(), u32::from_le_bytes);
        Ok(Self { pixels, labels })
    }

    /// The pixels of the images `first..first + count`.
    #[must_use]
    pub fn pixels_of(&self, first: usize, count: usize) -> &[f32] {
        let len = self.pixels.len() / self.labels.len();
        &self.pixels[first * len..][..count * len]
    }

    /// All pixels as `[images, channels, height, width]`.
    #[must_use]
    pub fn as_nchw(&self, shape: Shape) -> Vec<f32> {
        let (plane, channels) = (shape.height * shape.width, shape.channels);
        if channels == 1 {
            return self.pixels.clone();
        }
        let mut moved = Vec::with_capacity(self.pixels.len());
        for image in self.pixels.chunks_exact(plane * channels) {
            for c in 0..channels {
                moved.extend(image[c..].iter().step_by(channels));
            }
        }
        moved
    }
}

fn numbers<T>(bytes: &[u8], read: impl Fn([u8; 4]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|four| read(*four)).collect()
}
