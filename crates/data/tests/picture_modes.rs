//! Pictures of every mode are seen as Pillow sees them (`modes/make.py` wrote the pictures and what Pillow saw).

use std::path::Path;

use percept_data::StoredPicture;

#[test]
fn pictures_are_seen_as_pillow_sees_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modes");
    let expected = std::fs::read_to_string(folder.join("expected.txt")).unwrap();
    let mut modes = Vec::new();
    for line in expected.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, height, width, channels, pixels] = *words else { panic!("{line}") };
        let bytes = std::fs::read(folder.join(name)).unwrap();
        let stored = StoredPicture::from_bytes(&bytes, name).unwrap();
        let shape = stored.picture.shape();
        let sizes = [height, width, channels].map(|size| size.parse::<usize>().unwrap());
        assert_eq!([shape.height, shape.width, shape.channels], sizes, "{name}");
        let want = (0..pixels.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&pixels[at..at + 2], 16).unwrap());
        let most = stored
            .picture
            .pixels()
            .iter()
            .zip(want)
            .map(|(got, want)| got.abs_diff(want))
            .max()
            .unwrap();
        // Lossless formats to the rounding of the blend with white, which Pillow does in steps; JPEG decoders round their
        // transforms differently, by up to a level or two before the conversion from YCbCr.
        let allowed = match (stored.format, stored.mode.contains("alpha")) {
            ("JPEG", _) => 4,
            (_, true) => 1,
            (_, false) => 0,
        };
        println!(
            "{name}: {} {} differs by at most {most}, turned: {}",
            stored.format, stored.mode, stored.turned
        );
        assert!(most <= allowed, "{name}: differs by {most}");
        assert_eq!(stored.turned, name.starts_with("turned"), "{name}");
        modes.push(stored.mode);
    }
    modes.sort_unstable();
    modes.dedup();
    assert_eq!(modes, ["colour", "colour with alpha", "grey", "grey 16 bit", "grey with alpha"]);
    assert_eq!(expected.lines().count(), 25);
}
