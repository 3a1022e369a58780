use super::*;
use crate::observers::sample::{TOTAL_STEPS, epoch, outcome, started, step};
use std::fs;
use std::process::{Command, Output};

/// Prints step, tag and value of everything that TensorBoard's own reader finds in a folder.
const READ: &str = r#"
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
log = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0}).Reload()
for tag in sorted(log.Tags()["scalars"]):
    for point in log.Scalars(tag):
        print(point.step, tag, point.value)
"#;

fn python(script: &str, folder: &Path) -> io::Result<Output> {
    let program = std::env::var_os("PERCEPT_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    Command::new(program).arg("-c").arg(script).arg(folder).output()
}

/// What TensorBoard reads, one point a line; nothing where it is not installed.
fn seen_by_tensorboard(folder: &Path) -> Option<Vec<String>> {
    let import = "import tensorboard.backend.event_processing.event_accumulator";
    if !python(import, folder).is_ok_and(|out| out.status.success()) {
        skip("no python3 with tensorboard; set PERCEPT_TEST_PYTHON");
        return None;
    }
    let output = python(READ, folder).expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    Some(text.lines().map(str::to_owned).collect())
}

/// Says on the real standard error, which the test harness does not capture, what could not be tested here.
fn skip(why: &str) {
    let _ = writeln!(io::stderr(), "SKIPPED: reading events with TensorBoard: {why}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

/// The contents of a file's records; checksums are tested elsewhere.
fn records(file: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(file).expect("a file");
    let (mut rest, mut records) = (&bytes[..], Vec::new());
    while let Some((length, after)) = rest.split_first_chunk::<8>() {
        let end = 4 + u64::from_le_bytes(*length) as usize;
        records.push(after[4..end].to_vec());
        rest = &after[end + 4..];
    }
    records
}

fn run(folder: &Path, done_steps: u64, steps: impl Iterator<Item = u64>) {
    let mut board = TensorBoard::default();
    started(folder, done_steps, |event| board.notify(event).expect("written"));
    for number in steps {
        board.notify(&Event::Step(&step(number))).expect("written");
    }
    board.notify(&Event::Epoch(&epoch(1))).expect("written");
    board.notify(&Event::Finished(&outcome(folder, 1))).expect("written");
}

#[test]
fn tensorboard_reads_every_value() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), 0, 1..=6);
    let Some(points) = seen_by_tensorboard(folder.path()) else { return };
    let expected = [
        "3 accuracy/step 0.5",
        "6 accuracy/step 0.5",
        "430 accuracy/train 0.8999999761581421",
        "430 accuracy/validation 0.949999988079071",
        "430 auc/validation 0.9375",
        "3 gradient_norm 2.0",
        "6 gradient_norm 2.0",
        "3 learning_rate 0.0010000000474974513",
        "6 learning_rate 0.0010000000474974513",
        "3 loss/step 0.3333333432674408",
        "6 loss/step 0.1666666716337204",
        "430 loss/train 0.25",
        "430 loss/validation 0.125",
    ];
    assert_eq!(points, expected);
}

#[test]
fn tensorboard_forgets_steps_that_a_resumed_run_repeats() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), 0, 1..=12);
    run(folder.path(), 6, 7..=9);
    let Some(points) = seen_by_tensorboard(folder.path()) else { return };
    let steps: Vec<&str> =
        points.iter().filter_map(|line| line.strip_suffix(" gradient_norm 2.0")).collect();
    assert_eq!(steps, ["3", "6", "9"]);
    assert_eq!(points.iter().filter(|line| line.contains("loss/train")).count(), 1);
}

#[test]
fn parts_of_a_run_are_named_in_their_order() {
    let folder = tempfile::tempdir().expect("a folder");
    for done in [0, 3, 6] {
        run(folder.path(), done, std::iter::empty());
    }
    let files = files(folder.path());
    let name = files[0].file_name().and_then(|name| name.to_str()).expect("a name");
    assert!(name.starts_with("events.out.tfevents.") && name.ends_with(".percept"), "{name}");
    let lengths: Vec<usize> = files.iter().map(|file| records(file).len()).collect();
    assert_eq!(lengths, [2, 3, 3], "version, restart where resumed, epoch");
}

#[test]
fn long_runs_are_thinned() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), 0, 1..=TOTAL_STEPS);
    let steps = records(&files(folder.path())[0]).len() - 2;
    assert_eq!(steps, 1433, "every third of 4,300");
}

#[test]
fn epochs_reach_the_disk_at_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut board = TensorBoard::default();
    let found = || records(&files(folder.path())[0]).len();
    started(folder.path(), 0, |event| board.notify(event).expect("written"));
    assert_eq!(found(), 1);
    board.notify(&Event::Epoch(&epoch(1))).expect("written");
    assert_eq!(found(), 2);
}

#[test]
fn without_validation_examples_there_is_no_validation_curve() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut board = TensorBoard::default();
    started(folder.path(), 0, |event| board.notify(event).expect("written"));
    board.log.as_mut().expect("started").validates = false;
    board.notify(&Event::Epoch(&epoch(1))).expect("written");
    let written = records(&files(folder.path())[0]).concat();
    let has = |tag: &[u8]| written.windows(tag.len()).any(|window| window == tag);
    assert!(has(b"loss/train") && !has(b"validation"));
}

#[test]
fn a_folder_that_is_gone_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let gone = folder.path().join("gone");
    let mut board = TensorBoard::default();
    started(&gone, 0, |event| {
        let error = board.notify(event).expect_err("no folder");
        assert!(matches!(&error, TrainError::Io { path, .. } if path.starts_with(&gone)));
    });
}
