//! Disks that are full, folders that are read-only, processes that are killed: nothing is lost.

use crate::sample::{chain, model, skip};
use percept_model::atomic;
use percept_model::error::ModelError;
use percept_model::model::Model;
use percept_model::tensor::Tensor;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("listed").map(|e| e.expect("an entry"));
    let mut names: Vec<_> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A model of a megabyte or so, different for each `seed`.
fn large_model(seed: u64) -> Model {
    let mut model = model();
    let data = vec![seed as f32; 300_000];
    model.tensors.push(Tensor { name: "dense2.weight".to_owned(), shape: vec![300, 1000], data });
    model.provenance.seed = seed;
    model
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("history.csv");
    atomic::replace(&path, |to| to.write_all(b"old")).expect("written");
    let error = atomic::replace(&path, |to| {
        to.write_all(&[0; 100_000])?;
        Err(io::ErrorKind::StorageFull.into())
    })
    .expect_err("refused");
    assert!(matches!(&error, ModelError::Write { action: "writing", .. }), "{error}");
    assert!(error.hint().contains("the earlier file, if any, is unchanged"));
    assert_eq!(fs::read(&path).expect("read"), b"old");
    assert_eq!(names(folder.path()), ["history.csv"]);
}

#[test]
fn what_cannot_be_replaced_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |path: &Path| model().write(path).expect_err("refused");
    assert!(matches!(write(folder.path()), ModelError::NotAFile { found: "a directory", .. }));
    let missing = write(&folder.path().join("missing/model.safetensors"));
    assert!(matches!(&missing, ModelError::Write { action: "making a file beside it", .. }));
    assert!(missing.hint().contains("make the folder first"));
    let plain = folder.path().join("plain");
    fs::write(&plain, "text").expect("written");
    let below = write(&plain.join("model.safetensors"));
    assert!(matches!(&below, ModelError::Write { .. }), "{below}");
    assert_eq!(names(folder.path()), ["plain"]);
    assert!(matches!(write(Path::new("")), ModelError::Write { .. }));
}

#[test]
fn only_partial_files_of_dead_writers_are_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let others = ["a.safetensors", ".b.1.partial", ".a.safetensors.notes"];
    for name in others {
        fs::write(at(name), "mine").expect("written");
    }
    fs::write(at(".a.safetensors.dead.partial"), "half").expect("written");
    let alive = File::create(at(".a.safetensors.alive.partial")).expect("created");
    alive.lock().expect("locked");
    model().write(&at("a.safetensors")).expect("written");
    let mut expected = [others.as_slice(), &[".a.safetensors.alive.partial"]].concat();
    expected.sort_unstable();
    assert_eq!(names(folder.path()), expected);
}

#[cfg(unix)]
mod unix {
    use super::*;
    use std::env;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    const PATH: &str = "PERCEPT_TEST_WRITE_TO";
    const FOREVER: &str = "PERCEPT_TEST_WRITE_FOREVER";
    const READ: &str = "PERCEPT_TEST_READ";

    /// Not a test by itself: what the child processes of the tests below run.
    #[test]
    fn child() {
        let Some(path) = env::var_os(PATH) else { return };
        let say = |said: &str| writeln!(io::stdout(), "child: {said}").expect("said");
        if env::var_os(READ).is_some() {
            let error = Model::read(Path::new(&path)).expect_err("no model");
            return say(&format!("{} | {}", chain(&error), error.hint()));
        }
        let mut seed = 1;
        let error = loop {
            if let Err(error) = large_model(seed).write(Path::new(&path)) {
                break Some(error);
            }
            seed += 1;
            if env::var_os(FOREVER).is_none() {
                break None;
            }
        };
        say(&error.map_or("written".to_owned(), |e| format!("{} | {}", chain(&e), e.hint())));
    }

    /// A command that runs [`child`] below the given programs.
    fn child_command(wrapper: &[&str], path: &Path) -> Command {
        let test = env::current_exe().expect("this test");
        let mut words =
            wrapper.iter().map(|word| (*word).into()).collect::<Vec<std::ffi::OsString>>();
        words.push(test.into());
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["--exact", "disk::unix::child", "--nocapture"]);
        command.env(PATH, path);
        command
    }

    /// What the child said, or why it could not run.
    fn said_by_child(wrapper: &[&str], path: &Path) -> Result<String, String> {
        let output = child_command(wrapper, path).output().map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        match text.lines().find_map(|line| line.split_once("child: ")) {
            Some((_, said)) => Ok(said.to_owned()),
            None => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }

    fn is_root() -> bool {
        fs::metadata("/proc/self").is_ok_and(|status| status.uid() == 0)
    }

    #[test]
    fn a_limit_on_file_size_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.safetensors");
        model().write(&path).expect("written");
        // 64 blocks of 512 or 1024 bytes; ignoring the signal turns it into an error of the write.
        let limited = ["sh", "-c", "trap '' XFSZ; ulimit -f 64 && exec \"$0\" \"$@\""];
        let said = said_by_child(&limited, &path).expect("the child runs");
        assert!(
            said.contains("writing failed") && said.contains("make room on the disk"),
            "{said}"
        );
        assert_eq!(Model::read(&path).expect("the old model"), model());
        assert_eq!(names(folder.path()), ["model.safetensors"]);
    }

    /// Files that claim 4 GiB, read with 1 GiB of address space: an error and not an abort.
    #[test]
    fn a_file_larger_than_memory_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.safetensors");
        let limited =
            ["env", "PERCEPT_TEST_READ=1", "sh", "-c", "ulimit -v 1048576 && exec \"$0\" \"$@\""];
        let header = r#"{"__metadata__":{"format":"percept-model","format_version":"1"},"w":{"dtype":"F32","shape":[1073741824],"data_offsets":[0,4294967296]}}"#;
        let file = File::create(&path).expect("created");
        (&file).write_all(&(header.len() as u64).to_le_bytes()).expect("written");
        (&file).write_all(header.as_bytes()).expect("written");
        let said = match said_by_child(&limited, &path) {
            Ok(said) => said,
            Err(why) => return skip("a file larger than memory", &why),
        };
        assert!(said.contains(" is cut short: expected at least 4294967"), "{said}");
        // The same, and true: a sparse file.
        file.set_len(8 + header.len() as u64 + (4 << 30)).expect("a sparse file");
        let said = said_by_child(&limited, &path).expect("the child runs");
        assert!(said.contains("out of memory") && said.contains("more memory"), "{said}");
    }

    /// A disk of 256 KiB of its own, in a namespace of its own: works as root, and for others where the system lets them.
    #[test]
    fn a_full_disk_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let script = "mount -t tmpfs -o size=256k percept \"$PERCEPT_TEST_FOLDER\" || exit 9
            cd \"$PERCEPT_TEST_FOLDER\" && echo old > model.safetensors && \"$0\" \"$@\"
            echo \"left: $(ls -A) $(cat model.safetensors)\"";
        let user: &[&str] = if is_root() { &[] } else { &["--map-root-user"] };
        let wrapper = [&["unshare", "--mount"], user, &["sh", "-c", script]].concat();
        let path = folder.path().join("model.safetensors");
        let output =
            child_command(&wrapper, &path).env("PERCEPT_TEST_FOLDER", folder.path()).output();
        let Some(output) =
            output.ok().filter(|output| output.stdout.windows(5).any(|w| w == b"left:"))
        else {
            return skip("a full disk", "this system lets tests mount none");
        };
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("writing failed: No space left on device"), "{text}");
        assert!(text.contains("make room on the disk"), "{text}");
        assert!(text.contains("left: model.safetensors old"), "{text}");
    }

    #[test]
    fn a_full_device_is_an_error_of_the_writer() {
        let Ok(mut full) = File::options().write(true).open("/dev/full") else {
            return skip("a full device", "there is no /dev/full");
        };
        let bytes = model().to_bytes().expect("valid");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.safetensors");
        let error = atomic::replace(&path, |_| full.write_all(&bytes)).expect_err("full");
        assert!(
            matches!(&error, ModelError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull)
        );
        assert_eq!(names(folder.path()), [""; 0]);
    }

    #[test]
    fn a_read_only_folder_is_an_error_and_loses_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.safetensors");
        model().write(&path).expect("written");
        let permissions =
            |mode| fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode));
        permissions(0o555).expect("made read-only");
        // Permissions do not bind root, so a child gives its rights up.
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let wrapper: &[&str] = if is_root() { &nobody } else { &[] };
        let said = if is_root() {
            said_by_child(wrapper, &path)
        } else {
            Ok(large_model(1)
                .write(&path)
                .map_or_else(|e| format!("{} | {}", chain(&e), e.hint()), |()| "written".into()))
        };
        permissions(0o755).expect("made writable");
        match said {
            Ok(said) => {
                assert!(
                    said.contains("making a file beside it failed: Permission denied"),
                    "{said}"
                );
                assert!(said.contains("choose a folder that you may write to"), "{said}");
            }
            Err(why) => skip("a read-only folder", &why),
        }
        assert_eq!(Model::read(&path).expect("the old model"), model());
        assert_eq!(names(folder.path()), ["model.safetensors"]);
    }

    /// Killed at some twenty moments of writing, there is always one whole model, and never a heap of partial ones.
    #[test]
    fn a_killed_writer_leaves_a_whole_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.safetensors");
        model().write(&path).expect("written");
        for round in 0..20 {
            let mut command = child_command(&[], &path);
            let mut writer =
                command.env(FOREVER, "1").stdout(Stdio::null()).spawn().expect("the child runs");
            std::thread::sleep(Duration::from_millis(20 + 7 * round));
            writer.kill().expect("killed");
            writer.wait().expect("ended");
            let found = Model::read(&path).expect("a whole model");
            let seed = found.provenance.seed;
            assert!(found == model() || found == large_model(seed), "seed {seed}");
            assert!(names(folder.path()).len() <= 2, "{:?}", names(folder.path()));
        }
        model().write(&path).expect("written");
        assert_eq!(names(folder.path()), ["model.safetensors"]);
    }

    #[test]
    fn links_are_followed_and_devices_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "old").expect("written");
        symlink(&target, &link).expect("linked");
        model().write(&link).expect("written");
        assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
        assert_eq!(Model::read(&target).expect("read"), model());
        let device = model().write(Path::new("/dev/null")).expect_err("refused");
        assert!(matches!(device, ModelError::NotAFile { found: "a device or pipe", .. }));
    }

    #[test]
    fn others_may_read_what_the_umask_lets_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        model().write(&ours).expect("written");
        fs::write(&plain, "").expect("written");
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
