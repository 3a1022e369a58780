//! The sheet that `percept data preview` writes.

use std::sync::Arc;

use percept_data::contact_sheet::{self, Sheet};
use percept_data::{Augmentation, Dataset, ImageShape, Loader, Normalisation, Part, Picture};

fn loader(shape: ImageShape) -> Loader {
    let images = (0..3 * shape.len()).map(|i| (i * 31 % 256) as u8).collect::<Vec<_>>();
    let names = ["cat", "dog"].map(String::from).to_vec();
    let data = Dataset::new("pets", shape, images, vec![0, 1, 0], names).unwrap();
    let channels = shape.channels;
    let normalisation = Normalisation { mean: vec![0.4; channels], std: vec![0.2; channels] };
    let shift = Augmentation { shift: 3.0, ..Augmentation::default() };
    Loader::new(Part::whole(Arc::new(data)), shift, normalisation, 5).unwrap()
}

#[test]
fn shows_each_example_unchanged_then_augmented() {
    for shape in [ImageShape::grey(8, 10), ImageShape::colour(8, 10)] {
        let loader = loader(shape);
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("sheet.png");
        let sheet = Sheet { examples: 2, versions: 3, zoom: 2 };
        contact_sheet::write(&loader, &sheet, &path).unwrap();
        let picture = Picture::open(&path).unwrap();
        // Four cells of 2*10+4 and a gap; two rows of 2*8+4+10, a title line and two gaps.
        assert_eq!(picture.shape(), ImageShape::colour(2 * 30 + 18, 4 * 24 + 4));
        let first = loader.dataset().image(loader.order(0)[0] as usize);
        let pixel = |x: usize, y: usize| &picture.pixels()[3 * (y * 100 + x)..][..3];
        let (left, top) = (4, 4 + 10 + 10 + 2);
        for (at, value) in first.chunks(shape.channels).enumerate() {
            let want = if let [r, g, b] = *value { [r, g, b] } else { [value[0]; 3] };
            assert_eq!(pixel(left + 2 * (at % 10), top + 2 * (at / 10)), want);
        }
    }
}

#[test]
fn a_sheet_without_or_with_too_much_is_refused() {
    let loader = loader(ImageShape::grey(8, 10));
    for sheet in [
        Sheet { examples: 0, ..Sheet::default() },
        Sheet { zoom: 0, ..Sheet::default() },
        Sheet { zoom: 1 << 20, ..Sheet::default() },
    ] {
        let message = contact_sheet::draw(&loader, &sheet).unwrap_err().to_string();
        assert!(message.starts_with("the contact sheet must be"), "{message}");
    }
}
