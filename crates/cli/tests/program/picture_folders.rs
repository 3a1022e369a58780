//! Data as people have them: pictures of any size in class folders, with files that are none among them.

use crate::program;
use image::{Rgb, RgbImage};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

const CLASSES: [&str; 3] = ["blue sky", "grass", "tomato"];

/// A picture of a class: mostly of its colour, lighter towards one side, each a little different.
fn picture(class: usize, variant: u32) -> RgbImage {
    let (width, height) = (20 + variant % 3, 16 + variant % 2);
    RgbImage::from_fn(width, height, |x, y| {
        let noise = ((x * 7 + y * 13 + variant * 31).wrapping_mul(2_654_435_761) >> 24) % 60;
        let mut colour = [30 + noise + 3 * y; 3];
        colour[2 - class] = 150 + noise + x;
        Rgb(colour.map(|level| level.min(255) as u8))
    })
}

fn write(folder: &Path, name: &str, class: usize, variant: u32) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    picture(class, variant).save(path).expect("written");
}

/// `pets/`: 30 pictures of each class; `more/`: ten of two of them.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (class, name) in CLASSES.iter().enumerate() {
        for variant in 0..30 {
            write(folder.path(), &format!("pets/{name}/{variant}.png"), class, variant);
        }
    }
    for variant in 100..110 {
        write(folder.path(), &format!("more/tomato/{variant}.png"), 2, variant);
        write(folder.path(), &format!("more/grass/{variant}.jpg"), 1, variant);
    }
    fs::write(folder.path().join("pets/grass/notes.jpg"), "not a picture").expect("written");
    folder
}

/// A folder with `run/`, trained once for all tests, and what was said of it.
fn trained() -> &'static (TempDir, program::Finished) {
    static TRAINED: OnceLock<(TempDir, program::Finished)> = OnceLock::new();
    TRAINED.get_or_init(|| {
        let folder = folder();
        let line = "train --data pets --network mlp --epochs 20 --batch-size 16 --out run";
        let training = program::line(folder.path(), line).well();
        (folder, training)
    })
}

#[test]
fn training_decides_and_says_so() {
    let (folder, training) = trained();
    for words in [
        "colour, because 90 of 90 pictures looked at have it (--colour off changes it)",
        "(height x width), because pictures are",
        "(--size changes it)",
        "(--fit changes it)",
        "1 file left out, which could not be read: pets/grass/notes.jpg: expected a PNG",
        "63 images to learn from, 9 for validation, 3 classes",
        "mirrored in every second epoch, reflection beyond the edges",
    ] {
        assert!(training.stderr.contains(words), "no {words:?} in {}", training.stderr);
    }
    assert!(training.stdout.contains("of 18 right; 95 % interval"), "{}", training.stdout);
    let skipped = fs::read_to_string(folder.path().join("run/skipped.csv")).expect("a list");
    let lines: Vec<&str> = skipped.lines().collect();
    assert_eq!(lines[0], "part,file,reason");
    assert!(lines[1].starts_with("training,pets/grass/notes.jpg,\"expected a PNG"), "{skipped}");
    let config = fs::read_to_string(folder.path().join("run/config.toml")).expect("settings");
    for words in
        ["test = 18", "[images]", "format = \"folders\"", "colour = true", "fit = \"crop\""]
    {
        assert!(config.contains(words), "no {words:?} in {config}");
    }
}

#[test]
fn classes_can_be_balanced_and_augmentation_named() {
    let (folder, _) = trained();
    let line = "train --data pets --network mlp --epochs 1 --batch-size 16 --out balanced --class-weights balanced \
                --augmentation strong --cutmix 1 --mixup 0.2";
    let said = program::line(folder.path(), line).well().stderr;
    for words in
        ["class weights from 1.00 to 1.00", "RandAugment 2 of magnitude 9", "mixup 0.2", "CutMix 1"]
    {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let line = "train --data more --network mlp --epochs 1 --batch-size 8 --out off --augmentation off --class-weights none";
    let said = program::line(folder.path(), line).well().stderr;
    assert!(said.contains("no augmentation") && !said.contains("class weights"), "{said}");
}

#[test]
fn a_file_without_a_network_leaves_the_rest_to_be_chosen() {
    let (folder, _) = trained();
    fs::write(folder.path().join("part.toml"), "epochs = 1\nbatch_size = 16\n").expect("written");
    let line = "train --data pets --config part.toml --size 8 --erase 2 --out part";
    let said = program::line(folder.path(), line).well().stderr;
    assert!(said.contains("network colour-small, because"), "{said}");
    for gone in ["epochs in batches", "training images are"] {
        assert!(!said.contains(gone), "{gone:?} was not chosen: {said}");
    }
    let config = fs::read_to_string(folder.path().join("part/config.toml")).expect("settings");
    for words in [
        "epochs = 1\n",
        "batch_size = 16",
        "mirror = \"alternating\"",
        "erase = 2",
        "rotation = 0.0",
    ] {
        assert!(config.contains(words), "no {words:?} in {config}");
    }
    let line = "train --data pets --config part.toml --size 8 --quality best --out best";
    let said = program::line(folder.path(), line).well().stderr;
    assert!(said.contains("network colour-large, because"), "{said}");
    program::line(folder.path(), "train --data pets --config best/config.toml --quality fast")
        .refused(2, &["--quality chooses a network", "best/config.toml", "leave out --quality"]);
}

#[test]
fn the_same_settings_give_the_same_weights_on_any_number_of_threads() {
    let (folder, _) = trained();
    let hash = |threads: u32| {
        let line = format!(
            "train --config run/config.toml --epochs 1 --out again-{threads} --threads {threads} --json -q"
        );
        program::line(folder.path(), &line).well().weight_hash()
    };
    assert_eq!(hash(1), hash(3));
}

#[test]
fn a_model_is_measured_on_what_it_has_not_seen() {
    let (folder, training) = trained();
    let total = |arguments: &str| {
        let line = format!("evaluate run/model.safetensors --json {arguments}");
        let finished = program::line(folder.path(), &line).well();
        let report: serde_json::Value = serde_json::from_str(&finished.stdout).expect("JSON");
        let accuracy = &report["accuracy"];
        (
            accuracy["total"].as_u64().expect("a number"),
            accuracy["value"].as_f64().expect("a number"),
        )
    };
    let (count, test) = total("");
    assert_eq!(count, 18);
    assert!(test > 0.9, "a third would be chance: {test}");
    assert!(
        training.stdout.contains(&format!("{:.0} of 18 right", test * 18.0)),
        "{}",
        training.stdout
    );
    // Named or not, the data it was trained with are split as they were.
    assert_eq!(total("--data pets"), (18, test));
    assert_eq!(
        (total("--split train").0, total("--split validation").0, total("--split all").0),
        (63, 9, 90)
    );
    // Other data have no parts; their two classes are matched by name.
    let (count, more) = total("--data more");
    fs::create_dir_all(folder.path().join("one")).expect("made");
    write(folder.path(), "one/grass/1.png", 1, 200);
    assert_eq!(total("--data one"), (1, 1.0));
    assert_eq!(count, 20);
    assert!(more > 0.9, "{more}");
}

#[test]
fn classes_that_the_model_does_not_know_are_refused() {
    let (trained, _) = trained();
    let folder = tempfile::tempdir().expect("a folder");
    for variant in 0..2 {
        write(folder.path(), &format!("new/Grass/{variant}.png"), 1, variant);
        write(folder.path(), &format!("new/tomato/{variant}.png"), 2, variant);
    }
    let model = trained.path().join("run/model.safetensors");
    program::run(folder.path(), ["evaluate", &model.to_string_lossy(), "--data", "new"])
        .refused(3, &["(Grass)", "expected [blue sky, grass, tomato]", "found [Grass, tomato]"]);
}

#[test]
fn pictures_are_told_apart_as_they_were_learned() {
    let (folder, _) = trained();
    let found = program::line(folder.path(), "predict run/model.safetensors more --top 1").well();
    assert_eq!(found.stdout.lines().count(), 20);
    let right = found.stdout.lines().filter(|line| {
        let class = line.split('/').nth(1).expect("a class");
        line.contains(&format!(": {class} "))
    });
    assert!(right.count() >= 18, "{}", found.stdout);
}

#[test]
fn a_network_of_ones_own_gets_pictures_of_its_size() {
    let folder = folder();
    let network = "name = 'tiny'\ninput = [10, 12, 1]\nlayers = [{ kind = 'flatten' }, { kind = 'dense', out_features = 3 }]";
    fs::write(folder.path().join("tiny.toml"), network).expect("written");
    let line = "train --data pets --network tiny.toml --epochs 1 --out run";
    let training = program::line(folder.path(), line).well();
    let said = "18 images are set aside for the test, 9 for validation (--test and --validation change it)";
    for words in ["10x12x1", said] {
        assert!(training.stderr.contains(words), "{words}: {}", training.stderr);
    }
    let line = "train --data pets --network mlp --epochs 1 --size 8x9 --colour off --fit stretch --test 30 --out other";
    let training = program::line(folder.path(), line).well();
    assert!(
        training.stderr.contains("8x9x1") && training.stdout.contains("of 30 right"),
        "{training:?}"
    );
}

#[test]
fn tables_name_their_columns_before_they_are_used() {
    let folder = folder();
    let rows = |class: &str| {
        (0..10).map(|v| format!("pets/{class}/{v}.png,{v},{class}\n")).collect::<String>()
    };
    let table = format!("picture,number,truth\n{}{}", rows("grass"), rows("tomato"));
    fs::write(folder.path().join("table.csv"), table).expect("written");
    program::line(folder.path(), "train --data table.csv --network mlp --epochs 1 --out run")
        .refused(3, &["`picture`, `number`, `truth`", "--columns FILE,LABEL"]);
    let line = "train --data table.csv --columns picture,truth --network mlp --epochs 1 --out run";
    let training = program::line(folder.path(), line).well();
    let words = "files from `picture`, labels from `truth`: as asked for";
    assert!(training.stderr.contains(words), "{}", training.stderr);
    program::line(folder.path(), "evaluate run/model.safetensors").well();
}

#[test]
fn settings_that_do_not_fit_are_usage() {
    let folder = folder();
    let train =
        |words: &str| program::line(folder.path(), &format!("train --data {words} -q --out run"));
    assert_eq!(train("pets --size 0x9").code, 2);
    train("mnist --size 20").refused(2, &["leave out format, columns, size, fit and colour"]);
    train("pets --format npz").refused(3, &["`pets` holds no data of the format `npz`"]);
    train("pets --format jpeg").refused(2, &["folders"]);
    train("pets/grass")
        .refused(3, &["31 pictures", "but no class folders", "what to do: put the pictures"]);
    train("pets --test 90").refused(2, &["90 for the test (--test)"]);
}

#[test]
fn what_is_wrong_with_data_is_found() {
    let folder = folder();
    let copy = |from: &str, to: &str| {
        let to = folder.path().join(to);
        fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        fs::copy(folder.path().join(from), to).expect("copied");
    };
    let check = |words: &str| program::line(folder.path(), &format!("data check {words}"));
    let clean = check("more --strict");
    assert_eq!(clean.code, 3, "few pictures a class: {clean:?}");
    for variant in 0..30 {
        copy(&format!("pets/grass/{variant}.png"), &format!("set/train/grass/{variant}.png"));
        copy(&format!("pets/tomato/{variant}.png"), &format!("set/train/tomato/{variant}.png"));
    }
    copy("pets/grass/3.png", "set/test/grass/a.png");
    copy("pets/grass/4.png", "set/test/tomato/b.png");
    copy("pets/grass/notes.jpg", "set/test/tomato/c.jpg");
    RgbImage::from_pixel(30, 30, Rgb([250; 3]))
        .save(folder.path().join("set/test/tomato/d.png"))
        .expect("written");
    RgbImage::from_fn(30, 30, |x, _| Rgb([x as u8; 3]))
        .save(folder.path().join("set/test/tomato/e.png"))
        .expect("written");
    let found = check("set --sheets sheets").well();
    for words in [
        "1 file cannot be read",
        "set/test/tomato/c.jpg: expected a PNG",
        "2 pictures outside the first part are in an earlier part too",
        "set/train/grass/3.png (training, grass) = set/test/grass/a.png (test, grass)",
        "1 picture is nearly blank",
        "1 picture is very dark",
        "3 others, height x width",
    ] {
        assert!(found.stdout.contains(words), "no {words:?} in {}", found.stdout);
    }
    let sheet = image::open(folder.path().join("sheets/0000-grass.png")).expect("a sheet");
    assert!(sheet.width() > 600 && sheet.height() > 200, "{}x{}", sheet.width(), sheet.height());
    let strict = check("set --strict --json");
    assert_eq!(strict.code, 3, "{strict:?}");
    let json: serde_json::Value = serde_json::from_str(&strict.stdout).expect("JSON");
    assert_eq!((&json["leaks"], &json["parts"][1]["images"]), (&2.into(), &4.into()));
    assert_eq!(json["same"].as_array().map(Vec::len), Some(2));
    check("nowhere").refused(3, &["`nowhere` not found"]);
}

#[test]
fn what_is_set_aside_is_said_and_must_leave_something() {
    let folder = folder();
    let line = "train --data pets --epochs 1 --size 8 --out run";
    let said = program::line(folder.path(), line).well().stderr;
    for words in [
        "18 images are set aside for the test, 9 for validation (--test and --validation change it)",
        "batches of 32, because there are 63 images to learn from (--batch-size changes it)",
        "1 epoch of 2 steps",
    ] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    let words =
        "89 for the test (--test) and 9 for validation (--validation); but there are 90 in all";
    program::line(folder.path(), "train --data pets --test 89 --size 8 --out other")
        .refused(2, &[words]);
    let few = folder.path().join("few");
    for at in 0..2 {
        write(&few, &format!("sky/{at}.png"), 0, at);
        write(&few, &format!("grass/{at}.png"), 1, at);
    }
    let line = "train --data few --epochs 1 --size 8 --out few-run";
    let said = program::line(folder.path(), line).well().stderr;
    assert!(said.contains("so that nothing measures the result: 4 images"), "{said}");
}

#[test]
fn a_part_that_is_not_there_cannot_be_measured() {
    let folder = folder();
    let line = "train --data pets --network mlp --epochs 1 --validation 0 --test 0 --out run -q";
    program::line(folder.path(), line).well();
    let refused = |rest: &str, words: &[&str]| {
        let line = format!("evaluate run/model.safetensors {rest}");
        program::line(folder.path(), &line).refused(3, words);
    };
    refused("--split validation", &["`pets` has no validation part", "--split train"]);
    refused("--data more --split validation", &["`more` has no validation part", "--split all"]);
    refused("--data more --split train", &["`more` has no training part", "--split all"]);
    for (part, from) in [("train", 0), ("validation", 50)] {
        for variant in from..from + 4 {
            write(folder.path(), &format!("parts/{part}/tomato/{variant}.png"), 2, variant);
            write(folder.path(), &format!("parts/{part}/grass/{variant}.png"), 1, variant);
        }
    }
    for part in ["train", "validation"] {
        let line = format!("evaluate run/model.safetensors --data parts --split {part} --json");
        let report: serde_json::Value =
            serde_json::from_str(&program::line(folder.path(), &line).well().stdout).expect("JSON");
        assert_eq!(report["accuracy"]["total"], 8, "{part}");
        // The model knows a third class, of which there is no image.
        let absent = &report["classes"][0];
        assert_eq!((&absent["support"], &absent["recall"]), (&0.into(), &serde_json::Value::Null));
    }
}

#[test]
fn pictures_of_a_pixel_can_be_learned_from() {
    let folder = tempfile::tempdir().expect("a folder");
    for (class, name) in ["dark", "light"].iter().enumerate() {
        for variant in 0..20 {
            let path = folder.path().join(format!("dots/{name}/{variant}.png"));
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            let level = 20 + class as u8 * 180 + variant;
            RgbImage::from_pixel(1, 1, Rgb([level, 255 - level, 9])).save(path).expect("written");
        }
    }
    let line = "train --data dots --epochs 2 --out run";
    let said = program::line(folder.path(), line).well().stderr;
    assert!(said.contains("size 1x1, because"), "{said}");
    program::line(folder.path(), "train --data dots --colour off --epochs 1 --out grey").well();
    let line = "train --data dots --network lenet --size 9 --epochs 1 --out other";
    let words = ["9x9x3 are too small for the network lenet", "--size 10"];
    program::line(folder.path(), line).refused(2, &words);
}

#[test]
fn options_without_an_effect_are_refused() {
    let folder = folder();
    let refused = |rest: &str, words: &[&str]| {
        let line = format!("train --data pets --network mlp --size 8 --epochs 1 --out run {rest}");
        program::line(folder.path(), &line).refused(2, words);
    };
    refused("--columns a,b", &["only tables and Parquet files have columns", "`a,b` (--columns)"]);
    refused("--erase 9", &["erase must be at most 8 pixels", "9"]);
    refused("--threads 99999", &["--threads", "4096"]);
    refused("--learning-rate 0", &["above 0", "nothing would be learned"]);
    fs::write(folder.path().join("erase.toml"), "[augmentation]\nerase = 9").expect("written");
    refused("--config erase.toml", &["erase must be at most 8 pixels"]);
    assert!(!folder.path().join("run").exists());
}

#[test]
fn a_preview_of_a_file_s_settings_is_what_training_would_see() {
    let folder = folder();
    fs::write(folder.path().join("epochs.toml"), "epochs = 3").expect("written");
    fs::write(folder.path().join("off.toml"), "[augmentation]\ncrop = 0\nmirror = 'off'")
        .expect("written");
    let drawn = |rest: &str| {
        program::line(folder.path(), &format!("data preview --data pets --out p.png {rest}"))
            .well();
        fs::read(folder.path().join("p.png")).expect("a picture")
    };
    let chosen = drawn("");
    assert!(drawn("--config epochs.toml") == chosen);
    assert!(drawn("--config off.toml") != chosen);
}
