//! Fetching from a server that keeps its word, and from servers that do not.

mod loopback;

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use loopback::{PATIENCE, Server, answer, cut, fetch, fetch_from, file, message, rest, set, whole};
use percept_data::named::{Cache, NamedSet, Packing, SetFile};
use percept_data::sources::{self, Reading, idx};
use percept_fetch::{Event, Origin, Patience};
use tempfile::TempDir;

const NAME: &str = "some.npz";

fn content() -> Vec<u8> {
    (0..5000u32).map(|at| (at * at / 7) as u8).collect()
}

/// A set of one file, and a cache.
fn one_file() -> (NamedSet, TempDir) {
    (set(&[file(NAME, &content())], Packing::Plain), TempDir::new().unwrap())
}

/// As [`one_file`], where nobody knows the file's size.
fn unknown_size() -> (NamedSet, TempDir) {
    let known = file(NAME, &content());
    (set(&[SetFile { bytes: None, ..known }], Packing::Plain), TempDir::new().unwrap())
}

fn fetched(cache: &Path) -> PathBuf {
    cache.join("data/made/for-a-test").join(NAME)
}

fn part(cache: &Path) -> PathBuf {
    cache.join("downloads/made/for-a-test").join(format!("{NAME}.part"))
}

/// Fetching fails with words in which `URL` is the file's address; the set is not there.
fn refused(set: &NamedSet, server: &Server, cache: &Path, expected: &str) -> Vec<Event> {
    let (outcome, events) = fetch(set, server, cache);
    let expected = expected.replace("URL", &format!("{}/{NAME}", server.url));
    assert_eq!(outcome, Err(expected));
    assert!(!fetched(cache).exists() && !cache.join("data/made/for-a-test").exists());
    events
}

#[test]
fn a_set_is_fetched_once_and_can_be_read() {
    let images = idx::encode_images(2, 2, &[1, 2, 3, 4, 5, 6, 7, 8]);
    let labels = idx::encode_labels(&[0, 1]);
    let names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    let contents: Vec<(String, Vec<u8>)> = names
        .iter()
        .zip([&images, &labels, &images, &labels])
        .map(|(name, bytes)| ((*name).to_owned(), bytes.clone()))
        .collect();
    let files: Vec<SetFile> = contents.iter().map(|(name, bytes)| file(name, bytes)).collect();
    let set = set(&files, Packing::Plain);
    let server = Server::start(move |_, request| {
        let found = contents.iter().find(|(name, _)| request.path == format!("/{name}"));
        whole(&found.unwrap().1)
    });
    let cache = TempDir::new().unwrap();
    let (outcome, events) = fetch(&set, &server, cache.path());
    assert_eq!(outcome, Ok(()));
    assert_eq!(events.len(), 5);
    assert_eq!(
        events[0],
        Event::Started { from: format!("{}/{}", server.url, names[0]), bytes: Some(24) }
    );
    assert_eq!(events[4], Event::Unpacking);
    let folder = Cache::at(cache.path()).find(&set).unwrap();
    let source = sources::recognise(&folder, &Reading::default()).unwrap();
    let train = source.train(None, 1).unwrap().dataset;
    assert_eq!((train.labels(), train.image(1)), (&[0, 1][..], &[5, 6, 7, 8][..]));
    assert_eq!(train.class_names(), ["left", "right"]);
    let test = source.test(None, 1).unwrap().unwrap().open().unwrap();
    assert_eq!(test.dataset.class_names(), ["left", "right"]);
    // Nothing is left of the transfer, and nothing is asked for again.
    assert_eq!(fs::read_dir(cache.path().join("downloads/made")).unwrap().count(), 0);
    assert_eq!(fetch(&set, &server, cache.path()), (Ok(()), vec![]));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_cut_connection_goes_on_where_it_stopped() {
    let (set, cache) = one_file();
    let server = Server::start(|at, request| match at {
        0 => cut(&whole(&content()), 1234),
        1 => cut(&rest(&content(), request), 766),
        _ => rest(&content(), request),
    });
    let (outcome, events) = fetch(&set, &server, cache.path());
    assert_eq!(outcome, Ok(()));
    assert_eq!(server.ranges(), [None, Some(1234), Some(2000)]);
    assert_eq!(fs::read(fetched(cache.path())).unwrap(), content());
    let waits = events.iter().filter(|event| matches!(event, Event::Waiting { .. }));
    assert_eq!(waits.count(), 2);
}

#[test]
fn the_next_call_goes_on_where_the_last_one_gave_up() {
    let (set, cache) = one_file();
    let server = Server::start(|at, request| match at {
        0 => cut(&whole(&content()), 1000),
        1 | 2 => answer("503 Service Unavailable", "Content-Length: 0\r\n", b""),
        _ => rest(&content(), request),
    });
    refused(
        &set,
        &server,
        cache.path(),
        "`URL`: expected the file, found the answer 503 Service Unavailable",
    );
    assert_eq!(fs::read(part(cache.path())).unwrap(), content()[..1000]);
    assert_eq!(fetch(&set, &server, cache.path()).0, Ok(()));
    assert_eq!(server.ranges(), [None, Some(1000), Some(1000), Some(1000)]);
    assert_eq!(fs::read(fetched(cache.path())).unwrap(), content());
}

#[test]
fn a_connection_that_is_cut_again_and_again() {
    let (set, cache) = one_file();
    let server = Server::start(|_, request| match request.from {
        None => cut(&whole(&content()), 10),
        Some(_) => cut(&rest(&content(), request), 1),
    });
    let (outcome, _) = fetch(&set, &server, cache.path());
    let message = outcome.unwrap_err();
    let expected = "expected 5000 bytes, but the connection ended after 12 (";
    assert!(message.contains(expected), "{message}");
    assert_eq!(server.ranges(), [None, Some(10), Some(11)]);
}

#[test]
fn a_server_that_knows_no_ranges_sends_the_whole_again() {
    let (set, cache) = one_file();
    let server = Server::start(|at, _| match at {
        0 => cut(&whole(&content()), 4000),
        _ => whole(&content()),
    });
    let (outcome, events) = fetch(&set, &server, cache.path());
    assert_eq!(outcome, Ok(()));
    assert_eq!(server.ranges(), [None, Some(4000)]);
    assert!(events.contains(&Event::Again));
    assert_eq!(fs::read(fetched(cache.path())).unwrap(), content());
}

#[test]
fn a_wrong_checksum() {
    let (set, cache) = one_file();
    let mut other = content();
    other[77] ^= 1;
    let server = Server::start(move |_, _| whole(&other));
    let (outcome, _) = fetch(&set, &server, cache.path());
    let message = outcome.unwrap_err();
    let expected = format!("`{NAME}`: expected the MD5 checksum {}, found ", set.files[0].md5);
    assert!(message.starts_with(&expected), "{message}");
    assert!(message.ends_with("; what was received has been removed"), "{message}");
    assert!(!part(cache.path()).exists() && !fetched(cache.path()).exists());
}

/// MD5 can be met by a file that was made to meet it; SHA-256 cannot.
#[test]
fn a_file_that_only_meets_its_md5() {
    let known = file(NAME, &content());
    let other = SetFile { sha256: file(NAME, b"another").sha256, ..known };
    let (set, cache) = (set(&[other], Packing::Plain), TempDir::new().unwrap());
    let server = Server::start(|_, _| whole(&content()));
    let message = fetch(&set, &server, cache.path()).0.unwrap_err();
    assert!(message.starts_with("`some.npz`: expected the SHA-256 checksum "), "{message}");
}

#[test]
fn a_beginning_of_another_file_is_fetched_anew() {
    let (set, cache) = one_file();
    let stale = part(cache.path());
    fs::create_dir_all(stale.parent().unwrap()).unwrap();
    fs::write(&stale, [9; 2000]).unwrap();
    let server = Server::start(|_, request| rest(&content(), request));
    let (outcome, events) = fetch(&set, &server, cache.path());
    assert_eq!(outcome, Ok(()));
    assert_eq!(server.ranges(), [Some(2000), None]);
    assert!(events.contains(&Event::Again));
    assert_eq!(fs::read(fetched(cache.path())).unwrap(), content());
}

#[test]
fn more_than_the_whole_is_fetched_anew() {
    let (set, cache) = one_file();
    let stale = part(cache.path());
    fs::create_dir_all(stale.parent().unwrap()).unwrap();
    fs::write(&stale, [9; 6000]).unwrap();
    let server = Server::start(|_, request| rest(&content(), request));
    assert_eq!(fetch(&set, &server, cache.path()).0, Ok(()));
    assert_eq!(server.ranges(), [None]);
    // Of a file of unknown size the server says that there is nothing after byte 6000.
    let (set, cache) = unknown_size();
    let stale = part(cache.path());
    fs::create_dir_all(stale.parent().unwrap()).unwrap();
    fs::write(&stale, [9; 6000]).unwrap();
    let server = Server::start(|_, request| match request.from {
        Some(_) => answer(
            "416 Range Not Satisfiable",
            "Content-Range: bytes */5000\r\nContent-Length: 0\r\n",
            b"",
        ),
        None => whole(&content()),
    });
    assert_eq!(fetch(&set, &server, cache.path()).0, Ok(()));
    assert_eq!(server.ranges(), [Some(6000), None]);
}

#[test]
fn a_server_that_announces_too_much_or_too_little() {
    for announced in [4999, 5001, 50_000_000_000u64] {
        let (set, cache) = one_file();
        let server = Server::start(move |_, _| {
            answer("200 OK", &format!("Content-Length: {announced}\r\n"), &content())
        });
        let expected =
            format!("`URL`: expected 5000 bytes, found a server that announces {announced}");
        refused(&set, &server, cache.path(), &expected);
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_server_that_announces_another_size_of_the_rest() {
    let (set, cache) = one_file();
    let server = Server::start(|at, _| match at {
        0 => cut(&whole(&content()), 1000),
        _ => answer(
            "206 Partial Content",
            "Content-Range: bytes 1000-8999/9000\r\nContent-Length: 8000\r\n",
            &content()[1000..],
        ),
    });
    let expected = "`URL`: expected 5000 bytes, found a server that announces 9000";
    refused(&set, &server, cache.path(), expected);
    let (set, cache) = one_file();
    let server = Server::start(|at, _| match at {
        0 => cut(&whole(&content()), 1000),
        _ => answer(
            "206 Partial Content",
            "Content-Range: bytes 0-4999/5000\r\nContent-Length: 5000\r\n",
            &content(),
        ),
    });
    let expected = "`URL`: expected the bytes from 1000 on, found `bytes 0-4999/5000`";
    refused(&set, &server, cache.path(), expected);
}

#[test]
fn a_server_that_announces_nothing() {
    // In pieces, and right.
    let chunked = |body: &[u8]| {
        let head = format!("{:x}\r\n", body.len());
        let body = [head.as_bytes(), body, b"\r\n0\r\n\r\n"].concat();
        answer("200 OK", "Transfer-Encoding: chunked\r\n", &body)
    };
    let (set, cache) = one_file();
    let server = Server::start(move |_, _| chunked(&content()));
    assert_eq!(fetch(&set, &server, cache.path()).0, Ok(()));
    // More than there should be.
    let (set, cache) = one_file();
    let server = Server::start(move |_, _| chunked(&[content(), vec![0]].concat()));
    refused(&set, &server, cache.path(), "`URL`: expected 5000 bytes, found more than 5000");
    assert_eq!(part(cache.path()).metadata().unwrap().len(), 0);
    // Less: what is missing is asked for.
    let (set, cache) = one_file();
    let server = Server::start(move |at, request| match at {
        0 => answer("200 OK", "", &content()[..100]),
        _ => rest(&content(), request),
    });
    assert_eq!(fetch(&set, &server, cache.path()).0, Ok(()));
    assert_eq!(server.ranges(), [None, Some(100)]);
}

/// Four images of 2x2 pixels with labels take at most 4 * (4 + 2 * 8) bytes and a mebibyte.
#[test]
fn a_file_of_unknown_size_cannot_be_endless() {
    const MOST: u64 = 80 + (1 << 20);
    let (set, cache) = unknown_size();
    let server = Server::start_raw(|_, _, stream| {
        let _ = stream.write_all(&answer("200 OK", "", b""));
        while stream.write_all(&[7; 4096]).is_ok() {}
    });
    let expected = format!("`URL`: expected at most {MOST} bytes, found more than {MOST}");
    refused(&set, &server, cache.path(), &expected);
    let (set, cache) = unknown_size();
    let server = Server::start(|_, _| answer("200 OK", "Content-Length: 2000000\r\n", b""));
    let expected =
        format!("`URL`: expected at most {MOST} bytes, found a server that announces 2000000");
    refused(&set, &server, cache.path(), &expected);
}

#[test]
fn a_file_of_unknown_size_that_announces_too_little_or_too_much() {
    let (set, cache) = unknown_size();
    let server = Server::start(|_, _| answer("200 OK", "Content-Length: 600\r\n", &content()));
    let message = fetch(&set, &server, cache.path()).0.unwrap_err();
    assert!(message.contains("expected the MD5 checksum"), "{message}");
    let (set, cache) = unknown_size();
    let server = Server::start(|_, request| match request.from {
        None => answer("200 OK", "Content-Length: 6000\r\n", &content()),
        Some(_) => answer("416 Range Not Satisfiable", "Content-Length: 0\r\n", b""),
    });
    let message = fetch(&set, &server, cache.path()).0.unwrap_err();
    assert!(
        message.contains("expected 6000 bytes, but the connection ended after 5000"),
        "{message}"
    );
    let (set, cache) = unknown_size();
    let server = Server::start(|_, request| rest(&content(), request));
    assert_eq!(fetch(&set, &server, cache.path()).0, Ok(()));
}

#[test]
fn redirections() {
    let (set, cache) = one_file();
    let server = Server::start(|_, request| match request.path.as_str() {
        "/elsewhere" => rest(&content(), request),
        _ => answer("302 Found", "Location: /elsewhere\r\nContent-Length: 0\r\n", b""),
    });
    assert_eq!(fetch(&set, &server, cache.path()).0, Ok(()));
    assert_eq!(fs::read(fetched(cache.path())).unwrap(), content());
    let (set, cache) = one_file();
    let server = Server::start(|_, request| {
        answer("302 Found", &format!("Location: {}\r\nContent-Length: 0\r\n", request.path), b"")
    });
    let message = fetch(&set, &server, cache.path()).0.unwrap_err();
    assert!(message.contains("too many redirects"), "{message}");
    // Ten redirections were followed, once.
    assert_eq!(server.requests().len(), 11);
}

#[test]
fn a_range_is_asked_for_behind_a_redirection_too() {
    let (set, cache) = one_file();
    let server = Server::start(|at, request| match request.path.as_str() {
        "/elsewhere" if at == 1 => cut(&whole(&content()), 1500),
        "/elsewhere" => rest(&content(), request),
        _ => answer("307 Temporary Redirect", "Location: /elsewhere\r\nContent-Length: 0\r\n", b""),
    });
    assert_eq!(fetch(&set, &server, cache.path()).0, Ok(()));
    assert_eq!(server.ranges(), [None, None, Some(1500), Some(1500)]);
}

#[test]
fn a_file_that_is_not_there() {
    let (set, cache) = one_file();
    let server = Server::start(|_, _| answer("404 Not Found", "Content-Length: 0\r\n", b""));
    let expected = "`URL`: expected the file, found the answer 404 Not Found";
    let events = refused(&set, &server, cache.path(), expected);
    assert_eq!((events.len(), server.requests().len()), (1, 1));
}

#[test]
fn the_second_place_has_what_the_first_has_not() {
    let (mut set, cache) = one_file();
    let first = Server::start(|_, _| answer("403 Forbidden", "Content-Length: 0\r\n", b""));
    let second = Server::start(|_, request| rest(&content(), request));
    let places = [&first, &second].map(|server| &*format!("{}/", server.url).leak());
    set.places = places.to_vec().leak();
    let (outcome, events) = fetch_from(&set, &Origin::Official, cache.path());
    assert_eq!(outcome, Ok(()));
    assert!(matches!(&events[1], Event::NextPlace { reason } if reason.contains("403 Forbidden")));
    assert_eq!((first.requests().len(), second.requests().len()), (1, 1));
    set.places = &[];
    let outcome = fetch_from(&set, &Origin::Official, TempDir::new().unwrap().path()).0;
    assert_eq!(outcome, Err("no address is known for `some.npz`".into()));
}

#[test]
fn a_server_that_says_nothing() {
    let (set, cache) = one_file();
    let server = Server::start_raw(|_, _, _| std::thread::sleep(Duration::from_secs(2)));
    let patience = Patience { retries: 0, silence: Duration::from_millis(100), ..PATIENCE };
    let origin = Origin::Url(server.url.clone());
    let cache = Cache::at(cache.path());
    let error = percept_fetch::fetch(&set, &origin, &cache, &patience, &mut |_| {}).unwrap_err();
    let expected = format!("cannot fetch `{}/{NAME}`: timeout: ", server.url);
    assert!(message(&error).starts_with(&expected), "{}", message(&error));
}

#[test]
fn a_server_that_falls_silent() {
    let (set, cache) = one_file();
    let server = Server::start_raw(|_, _, stream| {
        let _ = stream.write_all(&cut(&whole(&content()), 300));
        std::thread::sleep(Duration::from_secs(2));
    });
    let patience = Patience { retries: 0, silence: Duration::from_millis(300), ..PATIENCE };
    let origin = Origin::Url(server.url.clone());
    let cache = Cache::at(cache.path());
    let error = percept_fetch::fetch(&set, &origin, &cache, &patience, &mut |_| {}).unwrap_err();
    let expected = "expected 5000 bytes, but the connection ended after 300 (timeout";
    assert!(message(&error).contains(expected), "{}", message(&error));
}

#[test]
fn nobody_listens() {
    let (set, cache) = one_file();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let message = fetch_from(&set, &Origin::Url(url.clone()), cache.path()).0.unwrap_err();
    assert!(message.starts_with(&format!("cannot fetch `{url}/{NAME}`: ")), "{message}");
}

#[test]
fn a_folder_instead_of_a_server() {
    let (set, cache) = one_file();
    let folder = TempDir::new().unwrap();
    let from = Origin::Folder(folder.path().to_owned());
    let path = folder.path().join(NAME);
    let missing = fetch_from(&set, &from, cache.path()).0.unwrap_err();
    let expected = "not found: expected the file as its authors published it";
    assert_eq!(missing, format!("`{}` {expected}", path.display()));
    fs::write(&path, [0; 4999]).unwrap();
    let short = fetch_from(&set, &from, cache.path()).0.unwrap_err();
    assert_eq!(short, format!("`{}`: expected 5000 bytes, found 4999", path.display()));
    fs::write(&path, [0; 5000]).unwrap();
    let other = fetch_from(&set, &from, cache.path()).0.unwrap_err();
    assert!(other.contains("expected the MD5 checksum"), "{other}");
    fs::write(&path, content()).unwrap();
    assert_eq!(fetch_from(&set, &from, cache.path()).0, Ok(()));
    assert_eq!(fs::read(fetched(cache.path())).unwrap(), content());
    assert!(path.exists());
}

#[test]
fn addresses_and_folders_are_told_apart() {
    let folder = TempDir::new().unwrap();
    let parse = |text: &str| Origin::parse(text).map_err(|error| message(&error));
    let path = folder.path().to_str().unwrap();
    assert_eq!(parse(path), Ok(Origin::Folder(path.into())));
    assert_eq!(parse("HTTPS://here/x"), Ok(Origin::Url("HTTPS://here/x".into())));
    let expected = "expected an address that begins with http:// or https://, or a folder";
    for wrong in ["ftp://here", "http://", "nowhere/at/all", ""] {
        assert_eq!(parse(wrong), Err(format!("`{wrong}`: {expected}")));
    }
}

#[test]
fn two_at_once_do_not_mix() {
    let (set, cache) = one_file();
    let folder = part(cache.path()).parent().unwrap().to_owned();
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let server = Server::start(|_, request| rest(&content(), request));
    let busy = fetch(&set, &server, cache.path()).0.unwrap_err();
    let expected = format!("another process is fetching this set (into `{}`)", folder.display());
    assert_eq!((busy, server.requests().len()), (expected, 0));
    drop(lock);
    assert_eq!(fetch(&set, &server, cache.path()).0, Ok(()));
}
