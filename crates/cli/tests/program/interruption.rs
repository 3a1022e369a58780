//! Runs that are stopped and go on end with the weights of one that was never stopped.
#![cfg(unix)]

use crate::program::{self, command, finished};
use crate::sample;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

const LONG: &str = "train --config small.toml --epochs 40 --json --quiet";

fn uninterrupted(folder: &Path) -> String {
    program::line(folder, &format!("{LONG} --out uninterrupted")).well().weight_hash()
}

fn start(folder: &Path, words: &str) -> Child {
    let mut command = command(folder);
    command.args(words.split_whitespace()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("started")
}

/// Waits until the run has told of `epochs` epochs.
fn wait_for_epochs(child: &mut Child, epochs: usize) {
    let stdout = child.stdout.as_mut().expect("a pipe");
    let mut lines = BufReader::new(stdout).lines();
    for _ in 0..epochs {
        let epoch =
            lines.by_ref().map(|line| line.expect("text")).find(|line| line.contains("\"epoch\""));
        assert!(epoch.is_some(), "the run ended early");
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status().expect("kill");
    assert!(status.success());
}

#[test]
fn ctrl_c_writes_a_checkpoint_and_resuming_loses_nothing() {
    let folder = sample::folder();
    let expected = uninterrupted(folder.path());
    let mut child = start(folder.path(), &format!("{LONG} --out run"));
    wait_for_epochs(&mut child, 3);
    signal(&child, "-INT");
    let stopped = finished(&child.wait_with_output().expect("ended"));
    assert_eq!(stopped.code, 130, "{stopped:?}");
    for words in ["a checkpoint is in run/checkpoint", "percept train --resume run"] {
        assert!(stopped.stderr.contains(words), "{stopped:?}");
    }
    assert!(!folder.path().join("run/model.safetensors").exists());
    let resumed = program::line(folder.path(), "train --resume run --json -q --threads 1").well();
    assert_eq!(resumed.weight_hash(), expected);
}

#[test]
fn a_request_to_terminate_is_an_interruption_too() {
    let folder = sample::folder();
    let mut child = start(folder.path(), &format!("{LONG} --out run"));
    wait_for_epochs(&mut child, 1);
    signal(&child, "-TERM");
    assert_eq!(finished(&child.wait_with_output().expect("ended")).code, 130);
}

#[test]
fn killed_at_any_moment_and_resumed_the_weights_are_the_same() {
    let folder = sample::folder();
    let expected = uninterrupted(folder.path());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock");
    let mut random = u64::from(now.subsec_nanos()) | 1;
    println!("moments from seed {random}");
    let mut kills = 0;
    for _ in 0..6 {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let checkpoint = folder.path().join("run/checkpoint/checkpoint.safetensors");
        let words = match checkpoint.exists() {
            true => "train --resume run --json --quiet".to_owned(),
            false => {
                let _ = std::fs::remove_dir_all(folder.path().join("run"));
                format!("{LONG} --out run")
            }
        };
        let mut child = start(folder.path(), &words);
        sleep(Duration::from_millis(20 + (random >> 33) % 120));
        kills += usize::from(child.try_wait().expect("asked").is_none());
        child.kill().expect("killed");
        child.wait().expect("ended");
    }
    println!("killed {kills} times while at work");
    let resumed = program::line(folder.path(), "train --resume run --json --quiet").well();
    assert_eq!(resumed.weight_hash(), expected);
}

#[test]
fn where_there_is_no_checkpoint_a_run_s_folder_is_asked_for() {
    let folder = sample::folder();
    let words = ["nowhere/checkpoint/checkpoint.safetensors", "give the folder of a run"];
    program::line(folder.path(), "train --resume nowhere").refused(5, &words);
}

#[test]
fn a_finished_run_can_be_resumed_without_harm() {
    let folder = sample::folder();
    let first =
        program::line(folder.path(), "train --config small.toml --out run --json -q").well();
    let again = program::line(folder.path(), "train --resume run --json -q").well();
    assert_eq!(first.weight_hash(), again.weight_hash());
}
