//! The example that the README shows, run as it stands.

#![allow(missing_docs, clippy::print_stdout)]

#[path = "../examples/train_and_predict.rs"]
mod train_and_predict;

#[test]
fn trains_and_predicts() {
    let folder = tempfile::tempdir().expect("a folder");
    std::env::set_current_dir(&folder).expect("entered");
    train_and_predict::main().expect("the example runs");
    assert!(folder.path().join("runs/example/model.safetensors").is_file());
    std::env::set_current_dir(std::env::temp_dir()).expect("left");
}
