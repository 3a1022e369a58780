//! `percept data check`: every kind of finding, in words, in JSON and in the exit code.

use crate::program::{self, Finished};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A picture of blocks of random levels, made by a rule: no two seeds are alike.
fn picture(seed: u32) -> RgbImage {
    RgbImage::from_fn(40, 32, |x, y| {
        let mixed = (x / 5 * 31 + y / 4 * 17 + seed * 101).wrapping_mul(2_654_435_761);
        Rgb([mixed >> 24, mixed >> 16 & 255, mixed >> 8 & 255]
            .map(|level| (40 + level * 150 / 255) as u8))
    })
}

fn save(folder: &Path, name: &str, picture: impl Into<DynamicImage>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    picture.into().save(path).expect("written");
}

/// A JPEG whose EXIF data say that it has to be turned by a quarter to the right (orientation 6).
fn turned(seed: u32) -> Vec<u8> {
    let mut jpeg = std::io::Cursor::new(Vec::new());
    picture(seed).write_to(&mut jpeg, ImageFormat::Jpeg).expect("encoded");
    let jpeg = jpeg.into_inner();
    // TIFF, little-endian, one entry: tag 0x0112, type SHORT, one value, 6; no further directory.
    let exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, exif, &jpeg[2..]].concat()
}

/// `set/`: 80 cats and 24 dogs to learn from, four pictures to test with.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let set = folder.path().join("set");
    for seed in 0..80 {
        save(&set, &format!("train/cat/{seed:02}.png"), picture(seed));
    }
    for seed in 100..124 {
        save(&set, &format!("train/dog/{seed}.png"), picture(seed));
    }
    for seed in 200..203 {
        save(&set, &format!("train/owl/{seed}.png"), picture(seed));
    }
    save(&set, "test/owl/400.png", picture(400));
    save(&set, "test/dog/401.png", picture(401));
    save(&set, "test/cat/402.png", picture(402));
    folder
}

fn check(folder: &TempDir, words: &str) -> Finished {
    program::line(folder.path(), &format!("data check set {words}"))
}

fn json(folder: &TempDir) -> serde_json::Value {
    serde_json::from_str(&check(folder, "--json").well().stdout).expect("JSON")
}

#[test]
fn sizes_of_classes() {
    let folder = folder();
    let found = check(&folder, "").well().stdout;
    for words in [
        "1 class has fewer than 20 pictures to learn from",
        "owl (3)",
        "the largest class has 26.7 times as many pictures as the smallest",
        "sizes     32x40 (110), height x width",
        "PNG (110)",
        "colour (110)",
    ] {
        assert!(found.contains(words), "no {words:?} in {found}");
    }
    assert!(!found.contains("nearly the same") && !found.contains("the same pictures"), "{found}");
    let json = json(&folder);
    assert_eq!(json["parts"][0]["class_counts"], serde_json::json!([80, 24, 3]));
    assert_eq!(json["problems"].as_array().map(Vec::len), Some(2), "{}", json["problems"]);
    assert_eq!(json["few"], serde_json::json!([{ "name": "owl", "count": 3 }]));
    assert_eq!(json["imbalance"], 80.0 / 3.0);
    // Problems end with 3 where somebody asks for it, and only then.
    check(&folder, "--strict")
        .refused(3, &["2 kinds of problems", "without --strict this is no error"]);
    fs::remove_dir_all(folder.path().join("set/train/owl")).expect("removed");
    fs::remove_dir_all(folder.path().join("set/test/owl")).expect("removed");
    for seed in 300..330 {
        save(folder.path(), &format!("set/train/dog/{seed}.png"), picture(seed));
    }
    let clean = check(&folder, "--strict").well().stdout;
    assert!(clean.contains("Nothing stands out."), "{clean}");
}

#[test]
fn duplicates_and_leaks() {
    let folder = folder();
    let set = folder.path().join("set");
    // The same under another name and in another format; the same in another class; one of them in the test part.
    save(&set, "train/cat/again.bmp", picture(7));
    save(&set, "train/dog/wrong.png", picture(8));
    save(&set, "test/cat/leak.png", picture(9));
    // Nearly the same: brighter, smaller, saved as JPEG; the last in the test part.
    let brighter = |seed| {
        let mut picture = picture(seed);
        picture.pixels_mut().for_each(|pixel| pixel.0 = pixel.0.map(|level| level + 40));
        picture
    };
    save(&set, "train/cat/brighter.png", brighter(20));
    let smaller = DynamicImage::from(picture(21)).thumbnail(30, 24);
    save(&set, "train/cat/smaller.png", smaller);
    save(&set, "test/cat/saved.jpg", picture(22));
    // Others: mirrored, negative.
    save(&set, "train/cat/mirrored.png", DynamicImage::from(picture(23)).fliph());
    let mut negative = DynamicImage::from(picture(24));
    negative.invert();
    save(&set, "train/cat/negative.png", negative);
    let json = json(&folder);
    let names = |group: &serde_json::Value| -> Vec<String> {
        let all = group.as_array().expect("a group").iter();
        let name =
            |example: &serde_json::Value| example["name"].as_str().expect("a name").to_owned();
        let mut names: Vec<String> = all.map(|example| name(example).replace("set/", "")).collect();
        names.sort();
        names
    };
    let same: Vec<Vec<String>> =
        json["same"].as_array().expect("groups").iter().map(names).collect();
    assert_eq!(
        same,
        [
            ["test/cat/leak.png", "train/cat/09.png"],
            ["train/cat/07.png", "train/cat/again.bmp"],
            ["train/cat/08.png", "train/dog/wrong.png"],
        ]
    );
    let pairs = json["nearly_same"].as_array().expect("pairs").iter();
    let near: Vec<Vec<String>> =
        pairs.map(|pair| names(&serde_json::json!([pair["a"], pair["b"]]))).collect();
    assert_eq!(
        near,
        [
            ["test/cat/saved.jpg", "train/cat/22.png"],
            ["train/cat/20.png", "train/cat/brighter.png"],
            ["train/cat/21.png", "train/cat/smaller.png"],
        ]
    );
    assert_eq!((&json["leaks"], &json["contradictions"]), (&2.into(), &1.into()));
    let [leak, near] = &json["leaked"].as_array().expect("leaks")[..] else { panic!("not two") };
    assert_eq!(
        (&leak["leaked"]["name"], &leak["from"]["name"], &leak["same"]),
        (&"set/test/cat/leak.png".into(), &"set/train/cat/09.png".into(), &true.into())
    );
    assert_eq!((&near["leaked"]["part"], &near["same"]), (&"test".into(), &false.into()));
    assert_eq!(names(&json["contradicting"][0]), ["train/cat/08.png", "train/dog/wrong.png"]);
    let told = check(&folder, "").well().stdout;
    for words in [
        "2 pictures outside the first part are in an earlier part too, the same or nearly: the result there will be flattered\n  \
         set/test/cat/leak.png (test, cat) = set/train/cat/09.png (training, cat)\n  \
         set/test/cat/saved.jpg (test, cat) ~ set/train/cat/22.png (training, cat)\n",
        "1 group of the same or nearly the same pictures has different classes\n  set/train/cat/08.png (training, cat) = set/train/dog/wrong.png (training, dog)\n",
        "3 groups of the same pictures",
        "set/train/cat/08.png (training, cat) = set/train/dog/wrong.png (training, dog)",
        "3 pairs of nearly the same pictures",
        "set/train/cat/22.png (training, cat) ~ set/test/cat/saved.jpg (test, cat)",
    ] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
}

/// Of a large group a few are named: of each part and class one before others.
#[test]
fn a_large_group_is_cut_short() {
    let folder = folder();
    let set = folder.path().join("set");
    for copy in 0..1200 {
        save(
            &set,
            &format!("train/cat/copy-{copy:04}.png"),
            GrayImage::from_pixel(3, 2, Luma([9])),
        );
    }
    save(&set, "test/dog/copy.png", GrayImage::from_pixel(3, 2, Luma([9])));
    let told = check(&folder, "").well().stdout;
    let group = "set/train/cat/copy-0000.png (training, cat) = set/test/dog/copy.png (test, dog) = \
                 set/train/cat/copy-0001.png (training, cat) = set/train/cat/copy-0002.png (training, cat) = \
                 set/train/cat/copy-0003.png (training, cat) and 1,196 more\n";
    assert!(told.contains(&format!("1 group of the same pictures\n  {group}")), "{told}");
    assert!(told.lines().all(|line| line.len() < 300), "{told}");
    assert_eq!(json(&folder)["same"][0].as_array().map(Vec::len), Some(1201));
}

#[test]
fn pictures_that_are_out_of_the_ordinary() {
    let folder = folder();
    let set = folder.path().join("set");
    save(&set, "train/cat/white.png", RgbImage::from_pixel(40, 32, Rgb([250; 3])));
    save(
        &set,
        "train/cat/night.png",
        RgbImage::from_fn(40, 32, |x, y| Rgb([(x + y) as u8 / 3; 3])),
    );
    save(&set, "train/cat/grey.png", GrayImage::from_fn(20, 50, |x, y| Luma([(x * 9 + y) as u8])));
    let deep = image::ImageBuffer::from_fn(21, 20, |x, y| Luma([(x * 3000 + y) as u16]));
    save(&set, "train/cat/deep.png", DynamicImage::ImageLuma16(deep));
    let see_through = image::RgbaImage::from_fn(22, 20, |x, y| {
        image::Rgba([(x * 9) as u8, (y * 9) as u8, 0, 99])
    });
    save(&set, "train/cat/glass.png", see_through);
    fs::write(set.join("train/dog/turned.jpg"), turned(500)).expect("written");
    fs::write(set.join("train/dog/text.jpg"), "words").expect("written");
    let found = check(&folder, "").well().stdout;
    for words in [
        "1 file cannot be read; training leaves it out\n  set/train/dog/text.jpg: expected a PNG",
        "1 picture is nearly blank\n  set/train/cat/white.png (training, cat)",
        "1 picture is very dark\n  set/train/cat/night.png (training, cat)",
        "turned    1 by EXIF data; it is read upright",
        "32x40 (112)",
        "JPEG (1)",
        "grey (1)",
        "grey 16 bit (1)",
        "colour with alpha (1)",
    ] {
        assert!(found.contains(words), "no {words:?} in {found}");
    }
    let json = json(&folder);
    assert_eq!(
        (&json["turned"], &json["turned_files"][0]["name"], &json["unreadable"][0]["file"]),
        (&1.into(), &"set/train/dog/turned.jpg".into(), &"set/train/dog/text.jpg".into())
    );
    let upright =
        json["sizes"].as_array().expect("sizes").iter().any(|size| size["name"] == "40x32");
    assert!(upright, "{}", json["sizes"]);
}

#[test]
fn a_sheet_for_each_class() {
    let folder = folder();
    check(&folder, "--sheets drawn").well();
    let mut names: Vec<String> = fs::read_dir(folder.path().join("drawn"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["0000-cat.png", "0001-dog.png", "0002-owl.png"]);
    let size = |name: &str| {
        let sheet = image::open(folder.path().join("drawn").join(name)).expect("a sheet");
        u64::from(sheet.width()) * u64::from(sheet.height())
    };
    // 80 pictures take more room than 24, and each picture 64x64 pixels.
    assert!(size("0000-cat.png") > 80 * 64 * 64 && size("0000-cat.png") > size("0001-dog.png"));
}
