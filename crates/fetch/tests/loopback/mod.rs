//! An HTTP server on this computer that does as a test says, and sets made of files that the test made.
#![allow(dead_code, reason = "each test uses some of these")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use md5::{Digest, Md5};
use percept_data::ImageShape;
use percept_data::named::{Cache, NamedSet, Packing, SetFile};
use percept_fetch::{Error, Event, Origin, Patience};
use sha2::Sha256;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// The first byte of the range that was asked for.
    pub from: Option<u64>,
}

/// A server; it lives as long as the test's process.
#[derive(Debug)]
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request, counted from 0, with the bytes that `answer` gives, and closes the connection.
    pub fn start(answer: impl Fn(usize, &Request) -> Vec<u8> + Send + 'static) -> Self {
        Self::start_raw(move |at, request, stream| {
            let _ = stream.write_all(&answer(at, request));
        })
    }

    /// As [`start`](Self::start), for answers that are no bytes known beforehand.
    pub fn start_raw(answer: impl Fn(usize, &Request, &mut TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let Some(request) = read(&stream) else { continue };
                let at = {
                    let mut kept = kept.lock().unwrap();
                    kept.push(request.clone());
                    kept.len() - 1
                };
                answer(at, &request, &mut stream);
            }
        });
        Self { url, requests }
    }

    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The first bytes of the ranges that were asked for.
    pub fn ranges(&self) -> Vec<Option<u64>> {
        self.requests().iter().map(|request| request.from).collect()
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split_whitespace().nth(1)?.to_owned();
    let mut from = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        let line = line.to_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    Some(Request { path, from })
}

/// An answer with this status line, these headers and this body.
pub fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// The whole file.
pub fn whole(body: &[u8]) -> Vec<u8> {
    answer("200 OK", &format!("Content-Length: {}\r\n", body.len()), body)
}

/// The file from the byte on that was asked for, as a server that knows ranges sends it.
pub fn rest(body: &[u8], request: &Request) -> Vec<u8> {
    let Some(from) = request.from else { return whole(body) };
    let rest = &body[from as usize..];
    let last = body.len() - 1;
    let headers = format!(
        "Content-Range: bytes {from}-{last}/{}\r\nContent-Length: {}\r\n",
        body.len(),
        rest.len()
    );
    answer("206 Partial Content", &headers, rest)
}

/// What begins as the answer does, but ends after so many bytes of its body.
pub fn cut(answer: &[u8], body: usize) -> Vec<u8> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    answer[..head + body].to_vec()
}

/// A file with its true size and checksums.
pub fn file(name: &str, content: &[u8]) -> SetFile {
    let hexadecimal = |bytes: &[u8]| -> &'static str {
        leaked(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    };
    SetFile {
        name: leaked(name),
        bytes: Some(content.len() as u64),
        md5: hexadecimal(&Md5::digest(content)),
        sha256: Some(hexadecimal(&Sha256::digest(content))),
    }
}

fn leaked(text: &str) -> &'static str {
    text.to_owned().leak()
}

/// A set of these files: two images of 2x2 pixels, as far as its size goes.
pub fn set(files: &[SetFile], packing: Packing) -> NamedSet {
    NamedSet {
        name: "made/for-a-test",
        title: "",
        about: "",
        shape: ImageShape::grey(2, 2),
        images: [2, 0, 2],
        classes: 2,
        class_names: &["left", "right"],
        licence: "",
        citation: "",
        places: &[],
        files: files.to_vec().leak(),
        packing,
    }
}

/// Tries again at once, twice.
pub const PATIENCE: Patience =
    Patience { retries: 2, pause: Duration::ZERO, silence: Duration::from_secs(20) };

/// Fetches from a server and returns what happened, without the progress.
pub fn fetch(set: &NamedSet, server: &Server, cache: &Path) -> (Result<(), String>, Vec<Event>) {
    fetch_from(set, &Origin::Url(server.url.clone()), cache)
}

pub fn fetch_from(
    set: &NamedSet,
    origin: &Origin,
    cache: &Path,
) -> (Result<(), String>, Vec<Event>) {
    let mut events = Vec::new();
    let mut observe = |event: &Event| {
        if !matches!(event, Event::Received(_)) {
            events.push(event.clone());
        }
    };
    let cache = Cache::at(cache);
    let fetched = percept_fetch::fetch(set, origin, &cache, &PATIENCE, &mut observe);
    let outcome = fetched.map(|folder| assert_eq!(folder, cache.folder(set)));
    (outcome.map_err(|error| message(&error)), events)
}

/// An error with its causes.
pub fn message(error: &Error) -> String {
    assert!(!error.hint().is_empty());
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
