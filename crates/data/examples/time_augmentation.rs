//! Prints how long one image takes: `cargo run --release -p percept-data --example time_augmentation`.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use percept_data::{
    Augmentation, Dataset, Error, ImageShape, Loader, LoaderScratch, Normalisation, Part,
};

const IMAGES: usize = 1000;
const CHUNK: usize = 16;

fn main() -> io::Result<()> {
    let (digit, photo) = (ImageShape::grey(28, 28), ImageShape::colour(32, 32));
    let (digits, photos) = (Augmentation::digits(), Augmentation::photos(32));
    let off = Augmentation::default();
    let elastic = Augmentation { elastic_strength: 34.0, elastic_smoothness: 4.0, ..digits };
    let blurred = Augmentation { crop: 0, shift: 4.0, ..photos };
    let jitter =
        Augmentation { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1, ..photos };
    for (name, augmentation, shape) in [
        ("none", off, digit),
        ("affine", digits, digit),
        ("affine and elastic", elastic, digit),
        ("none", off, photo),
        ("whole pixels and mirror", photos, photo),
        ("fractions of a pixel and mirror", blurred, photo),
        ("whole pixels, mirror and a square erased", Augmentation { erase: 8, ..photos }, photo),
        ("whole pixels, mirror and mixup", Augmentation { mixup: 0.2, ..photos }, photo),
        ("whole pixels, mirror and CutMix", Augmentation { cutmix: 1.0, ..photos }, photo),
        ("whole pixels, mirror and colour jitter", jitter, photo),
        ("strong", Augmentation::strong(32), photo),
    ] {
        let loader = loader(augmentation, shape).map_err(io::Error::other)?;
        // The fastest of some epochs: others may have had to share the processor.
        let seconds = (0..30).map(|epoch| epoch_seconds(&loader, epoch)).fold(f64::MAX, f64::min);
        let microseconds = seconds * 1e6 / IMAGES as f64;
        writeln!(io::stdout(), "{shape}, {name}: {microseconds:.2} microseconds an image")?;
    }
    Ok(())
}

fn loader(augmentation: Augmentation, shape: ImageShape) -> Result<Loader, Error> {
    let images: Vec<u8> = (0..IMAGES * shape.len()).map(|i| (i * 7919 % 256) as u8).collect();
    let data = Dataset::new("ramps", shape, images, vec![0; IMAGES], vec!["ramp".into()])?;
    let (mean, std) = (vec![0.5; shape.channels], vec![0.25; shape.channels]);
    Loader::new(Part::whole(Arc::new(data)), augmentation, Normalisation { mean, std }, 1)
}

fn epoch_seconds(loader: &Loader, epoch: u32) -> f64 {
    let mut pixels = vec![0.0; CHUNK * loader.dataset().shape().len()];
    let mut scratch = LoaderScratch::default();
    let order = loader.order(epoch);
    let start = Instant::now();
    for chunk in order.chunks_exact(CHUNK) {
        loader.fill(epoch, chunk, 0..CHUNK, &mut scratch, &mut pixels);
        std::hint::black_box(&pixels);
    }
    start.elapsed().as_secs_f64()
}
