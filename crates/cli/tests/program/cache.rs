//! The cache of decoded pixels, as a person meets it.

use crate::program::{self, Finished};
use image::{Rgb, RgbImage};
use percept::data::sources::idx;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;
use tempfile::TempDir;

/// `pets/`: pictures of two classes, whose files have been as they are for two seconds.
fn folder(pictures: u32) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (class, colour) in [("cat", 40), ("dog", 200)] {
        let class = folder.path().join("pets").join(class);
        fs::create_dir_all(&class).expect("made");
        let one = class.join("0.png");
        let picture = RgbImage::from_fn(12, 10, |x, y| Rgb([colour + x as u8, (9 * y) as u8, 90]));
        picture.save(&one).expect("written");
        for at in 1..pictures {
            // Links, for a thousand files would take a thousand blocks.
            fs::hard_link(&one, class.join(format!("{at}.png"))).expect("linked");
        }
    }
    let network = "name = 'tiny'\ninput = [160, 160, 1]\nlayers = [{ kind = 'flatten' }, { kind = 'dense', out_features = 2 }]";
    fs::write(folder.path().join("tiny.toml"), network).expect("written");
    folder
}

fn cached(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn the_second_run_takes_pixels_from_the_cache() {
    let folder = folder(20);
    sleep(Duration::from_millis(2100));
    let train = |out: &str, cache: &str| {
        let line = format!(
            "train --data pets --network tiny.toml --epochs 1 --validation 4 --json -q --out {out} --cache {cache}"
        );
        program::line(folder.path(), &line).well().weight_hash()
    };
    let plain = train("a", "off");
    assert_eq!(train("b", "kept"), plain);
    let kept = folder.path().join("kept/pixels");
    let [file] = &cached(&kept)[..] else { panic!("{:?}", cached(&kept)) };
    let bytes = fs::read(file).expect("read");
    assert_eq!(train("c", "kept"), plain);
    assert_eq!(cached(&kept), std::slice::from_ref(file));
    // Damage is told, and does no harm.
    fs::write(file.with_extension("new"), &bytes[..bytes.len() / 2]).expect("written");
    fs::rename(file.with_extension("new"), file).expect("renamed");
    let line =
        "train --data pets --network tiny.toml --epochs 1 --validation 4 --out d --cache kept";
    let told = program::line(folder.path(), line).well().stderr;
    assert!(told.contains("is made anew: it is cut off"), "{told}");
    assert!(fs::read(file).expect("read") == bytes);
    let look = |words: &str| {
        program::line(folder.path(), &format!("data cache --cache kept {words}")).well()
    };
    let shown = look("").stdout;
    assert!(
        shown.contains("1 files, 1 MiB of at most 16,384 MiB")
            && shown.contains("pets (all pictures), 160x160x1"),
        "{shown}"
    );
    let json: serde_json::Value = serde_json::from_str(&look("--json").stdout).expect("JSON");
    assert_eq!((&json["files"][0]["images"], &json["bytes"]), (&40.into(), &bytes.len().into()));
    assert_eq!(look("--clear").stdout, "removed 1 file with 1 MiB\n");
    assert_eq!(cached(&kept), Vec::<PathBuf>::new());
}

#[test]
fn the_environment_says_where() {
    let folder = folder(10);
    let run = |name: &str, value: &str| {
        let mut command = program::command(folder.path());
        command
            .env_remove("PERCEPT_CACHE")
            .env("XDG_CACHE_HOME", folder.path().join("unused"))
            .env(name, value);
        let line = "data preview --data pets --count 2";
        program::finished(&command.args(line.split(' ')).output().expect("the program starts"))
    };
    let at = |path: &str| cached(&folder.path().join(path)).len();
    let xdg = folder.path().join("xdg").display().to_string();
    if cfg!(all(unix, not(target_os = "macos"))) {
        run("XDG_CACHE_HOME", &xdg).well();
        assert_eq!(at("xdg/percept/pixels"), 1);
    }
    run("PERCEPT_CACHE", "elsewhere").well();
    assert_eq!(at("elsewhere/pixels"), 1);
    run("PERCEPT_CACHE", "off").well();
    assert_eq!(at("unused"), 0);
    let line = "data cache --cache off";
    program::line(folder.path(), line).refused(2, &["there is no cache", "--cache DIR"]);
    let line = "data preview --data pets --cache x --cache-size 1.5G";
    assert_eq!(program::line(folder.path(), line).code, 2);
    run("PERCEPT_CACHE_SIZE", "much").refused(2, &["PERCEPT_CACHE_SIZE is `much`", "500M"]);
}

/// A process with 100 MiB of memory trains on 152 MiB of pixels where they lie in the cache, and is told so kindly where they do not.
#[cfg(target_os = "linux")]
#[test]
fn a_data_set_need_not_fit_into_memory() {
    let folder = folder(3124);
    let train = |words: &str| train_in_little_memory(folder.path(), &format!("pets {words}"));
    train("--out a --cache off").refused(2, &["160x160x1", "152 MiB"]);
    train("--out b --cache kept").well();
    // Found in the cache, or too large to be kept: it is mapped all the same.
    train("--out c --cache kept").well();
    train("--out d --cache small --cache-size 1M").well();
    assert_eq!(cached(&folder.path().join("small/pixels")), Vec::<PathBuf>::new());
}

/// The same where the data are pixels already: 156 MiB in an IDX file.
#[cfg(target_os = "linux")]
#[test]
fn an_array_of_pixels_need_not_fit_into_memory() {
    let folder = folder(1);
    let data = folder.path().join("array");
    fs::create_dir(&data).expect("made");
    let labels = [0, 1].repeat(3200);
    let image: Vec<u8> = (0..160 * 160).map(|at| (at % 253) as u8).collect();
    for (part, count) in [("train", 6400), ("t10k", 10)] {
        let mut images = idx::encode_images(160, 160, &image);
        images[4..8].copy_from_slice(&u32::to_be_bytes(count));
        let path = data.join(format!("{part}-images-idx3-ubyte"));
        fs::write(&path, &images).expect("written");
        // The other images are black, and take no room on the disk.
        let whole = fs::File::options().append(true).open(&path).expect("there");
        whole.set_len(16 + u64::from(count) * 160 * 160).expect("longer");
        let labels = idx::encode_labels(&labels[..count as usize]);
        fs::write(data.join(format!("{part}-labels-idx1-ubyte")), labels).expect("written");
    }
    let train = |words: &str| train_in_little_memory(folder.path(), &format!("array {words}"));
    train("--out a --cache kept").well();
    assert_eq!(cached(&folder.path().join("kept/pixels")), Vec::<PathBuf>::new());
    train("--out b --cache off").refused(2, &["a folder for the cache", "do not fit into memory"]);
}

/// A process with 100 MiB of memory of its own (RLIMIT_DATA, which counts no mapped files).
#[cfg(target_os = "linux")]
fn train_in_little_memory(folder: &Path, words: &str) -> Finished {
    let line = format!(
        "train --network tiny.toml --epochs 1 --batch-size 16 --threads 2 --validation 100 -q --data {words}"
    );
    let mut command = std::process::Command::new("sh");
    command.current_dir(folder).arg("-c").arg("ulimit -d 102400 && exec \"$0\" \"$@\"");
    command.arg(env!("CARGO_BIN_EXE_percept")).args(line.split_whitespace());
    program::finished(&command.output().expect("a shell"))
}
