//! Image sets by name: what is listed, how they are fetched, and that nothing is fetched unasked.

use crate::program::{Finished, command, finished};
use crate::sample;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use tempfile::TempDir;

/// Runs a line with the cache in `folder/cache`.
fn line(folder: &Path, words: &str) -> Finished {
    let mut command = command(folder);
    command.args(words.split_whitespace()).env("XDG_CACHE_HOME", folder.join("cache"));
    finished(&command.output().expect("started"))
}

/// The sample as the set that a fetch would have left.
fn fetched(folder: &Path, name: &str) {
    let place = folder.join("cache/percept/data").join(name);
    fs::create_dir_all(place.parent().expect("a parent")).expect("made");
    fs::rename(folder.join("data"), place).expect("moved");
}

/// A server that gives this answer to everyone.
fn server(answer: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    url
}

#[test]
fn all_sets_are_listed() {
    let folder = sample::folder();
    let list = line(folder.path(), "data list").well().stdout;
    let row = |name: &str| -> Vec<String> {
        let row = list.lines().find(|line| line.starts_with(&format!("{name} ")));
        row.unwrap_or_else(|| panic!("no {name} in {list}"))
            .split("  ")
            .map(str::trim)
            .filter(|cell| !cell.is_empty())
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(
        row("fashion-mnist"),
        ["fashion-mnist", "70,000", "28x28x1", "10", "30.9 MB", "no", "MIT"]
    );
    assert_eq!(row("mnist")[5], "inside");
    assert_eq!(row("medmnist/dermamnist")[6], "CC BY-NC 4.0");
    assert!(list.contains("arXiv:1708.07747"), "{list}");
    fetched(folder.path(), "fashion-mnist");
    let json = line(folder.path(), "data list --json").well().stdout;
    let sets: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let sets = sets.as_array().expect("a list");
    assert_eq!(sets.len(), 20);
    let here: Vec<&str> = sets
        .iter()
        .filter(|set| set["here"] == true)
        .filter_map(|set| set["name"].as_str())
        .collect();
    assert_eq!(here, ["mnist", "fashion-mnist"]);
    for set in sets {
        assert!(
            ["licence", "citation"].iter().all(|key| !set[key].as_str().expect("text").is_empty())
        );
    }
}

#[test]
fn the_digits_inside_the_program_need_not_be_fetched() {
    let folder = sample::folder();
    let told = line(folder.path(), "data fetch mnist").well().stdout;
    assert!(told.contains("is inside the program: there is nothing to fetch"), "{told}");
    assert!(!folder.path().join("cache").exists());
}

#[test]
fn a_set_that_is_not_here_is_no_reason_to_fetch_it() {
    let folder = sample::folder();
    let hint = "what to do: `percept data fetch kmnist` gets it; nothing is downloaded unasked";
    let message = "the named set `kmnist` is not on this computer yet";
    line(folder.path(), "train --data kmnist --out run -q").refused(3, &[message, hint]);
    line(folder.path(), "data check kmnist").refused(3, &[message, hint]);
    line(folder.path(), "data preview --data kmnist").refused(3, &[message, hint]);
    let wrong =
        "expected a folder or file with a data set, or the name of one (`percept data list`)";
    line(folder.path(), "data check fashion").refused(3, &["`fashion` not found", wrong]);
}

#[test]
fn a_set_that_is_here_is_used_by_its_name() {
    let folder = sample::folder();
    fetched(folder.path(), "medmnist/breastmnist");
    let name = "medmnist/breastmnist";
    line(folder.path(), &format!("train --config small.toml --data {name} --out run -q")).well();
    let config = fs::read_to_string(folder.path().join("run/config.toml")).expect("read");
    assert!(config.contains("data = \"medmnist/breastmnist\""), "{config}");
    line(folder.path(), "evaluate run/model.safetensors").well();
    line(folder.path(), &format!("evaluate run/model.safetensors --data {name}")).well();
    let check = line(folder.path(), &format!("data check {name}")).well().stdout;
    assert!(check.starts_with("data      medmnist/breastmnist\n"), "{check}");
    // A folder of that name goes before it.
    fs::create_dir_all(folder.path().join("medmnist/breastmnist")).expect("made");
    line(folder.path(), &format!("data check {name}")).refused(3, &["no data set recognised"]);
}

#[test]
fn what_is_here_is_not_fetched_again() {
    let folder = sample::folder();
    fetched(folder.path(), "kmnist");
    let nowhere = "--from http://127.0.0.1:9/";
    let done = line(folder.path(), &format!("data fetch kmnist {nowhere}")).well();
    assert!(done.stdout.starts_with("Kuzushiji-MNIST is here already: 70,000 images"), "{done:?}");
    assert!(done.stdout.contains("cite     Clanuwat"), "{done:?}");
    let json = line(folder.path(), &format!("data fetch kmnist --json {nowhere}")).well();
    let json: serde_json::Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!((&json["was_here"], &json["licence"]), (&true.into(), &"CC BY-SA 4.0".into()));
}

#[test]
fn fetching_what_is_not_the_set() {
    let folder = TempDir::new().expect("a folder");
    let url =
        server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".into());
    let fetch = |words: &str| line(folder.path(), &format!("data fetch {words}"));
    fetch(&format!("svhn --from {url}")).refused(
        3,
        &[
            &format!("`{url}/train_32x32.mat`: expected the file, found the answer 404 Not Found"),
            "--from",
        ],
    );
    let url =
        server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello".into());
    fetch(&format!("svhn --from {url}")).refused(
        3,
        &[
            "expected 182040794 bytes, found a server that announces 5",
            "what to do: this is not the file",
        ],
    );
    let breast = format!("medmnist/breastmnist --from {url}");
    let refused = fetch(&breast).refused(
        3,
        &[
            "`breastmnist.npz`: expected the MD5 checksum 750601b1f35ba3300ea97c75c52ff8f6, found 5d41402abc4b2a76b9719d911017c592",
            "what to do: this is not the file",
        ],
    );
    assert!(refused.stderr.starts_with(&format!("{url}/breastmnist.npz\n")), "{refused:?}");
    assert!(!fetch(&format!("{breast} -q")).stderr.contains("http"));
    fs::create_dir(folder.path().join("files")).expect("made");
    fetch("cifar10 --from files")
        .refused(3, &["cifar-10-binary.tar.gz` not found", "what follows --from"]);
    fetch("cifar10 --from file").refused(2, &["`file`: expected an address that begins with http"]);
    fetch("cifar11").refused(2, &["there is no set `cifar11`", "cifar10, cifar100"]);
    let list = line(folder.path(), "data list --json").well().stdout;
    let sets: serde_json::Value = serde_json::from_str(&list).expect("JSON");
    let elsewhere = sets.as_array().expect("a list").iter().filter(|set| set["here"] == false);
    assert_eq!(elsewhere.count(), 19);
}
