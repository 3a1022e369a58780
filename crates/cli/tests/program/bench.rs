//! Measuring the machine.

use crate::program::{self, command, finished};
use crate::sample;
use std::fs;

#[test]
fn json_has_what_was_measured() {
    let words = "bench --quick --network bench-mlp --threads 1 --json";
    let measured = program::line(&std::env::temp_dir(), words).well();
    let json: serde_json::Value = serde_json::from_str(&measured.stdout).expect("JSON");
    assert_eq!(
        (&json["threads"], &json["peaks"][0]["instruction_set"]),
        (&1.into(), &"scalar".into())
    );
    let network = &json["networks"][0];
    // By hand: 784 * 128 + 128 + 128 * 10 + 10 parameters, 2 * (784 * 128 + 128 * 10) operations.
    assert_eq!(
        (&network["parameters"], &network["operations"]),
        (&101_770.into(), &203_264.into())
    );
    let training = &network["training"][0];
    let number = |name: &str| training[name].as_f64().expect("a number");
    assert_eq!(training["images"], 128);
    assert!((number("images_per_second") * number("seconds") / 128.0 - 1.0).abs() < 1e-9);
    assert!(number("share_of_peak") > 0.0);
    let images: Vec<_> =
        network["prediction"].as_array().expect("a list").iter().map(|p| &p["images"]).collect();
    assert_eq!(images, [1, 256]);
    assert!(measured.stderr.contains(" left\n"), "{}", measured.stderr);
}

#[test]
fn tables_have_columns_for_one_thread_and_for_all() {
    let folder = sample::folder();
    let words = "bench --quick --network small.toml --network bench-mlp --threads 2";
    let measured = program::line(folder.path(), words).well();
    for word in
        ["peak, GFLOP/s", "1 thread ", "2 threads", "small.toml (own)", "bench-mlp (comparison)"]
    {
        assert!(measured.stdout.contains(word), "{word}: {}", measured.stdout);
    }
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let folder = sample::folder();
    let line = |words: &str| program::line(folder.path(), words);
    line("bench --network nothing").refused(5, &["`nothing` is neither", "bench-resnet20"]);
    line("bench --threads 9999999").refused(2, &["--threads", "one per processor) to 4096"]);
    fs::write(folder.path().join("deep.toml"), "input = [8, 8, 1]\nlayers = []").expect("written");
    line("bench --network deep.toml").refused(2, &["layer"]);
    let other = command(folder.path()).arg("bench").env("PERCEPT_ISA", "mmx").output();
    finished(&other.expect("started")).refused(2, &["unknown instruction set `mmx`"]);
}
