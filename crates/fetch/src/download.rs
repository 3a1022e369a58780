//! One file over HTTP: received in as many pieces as it takes.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use percept_data::named::SetFile;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, RANGE};
use ureq::http::{HeaderName, Response, StatusCode};
use ureq::{Agent, Body};

use crate::transfer::{Failed, transfer};
use crate::{Error, Event, Patience, checksum};

/// A transfer that brought this much was not in vain: the count of failures begins anew.
const WORTHWHILE: u64 = 1 << 20;
const CONNECTING: Duration = Duration::from_secs(30);

/// A file to receive.
pub(crate) struct Download<'a> {
    agent: Agent,
    file: &'a SetFile,
    /// The most bytes that the file may have.
    most: u64,
    /// Where it is received.
    part: &'a Path,
    patience: &'a Patience,
}

/// Why a piece did not bring the rest of the file.
enum Stop {
    /// It may be better in a moment: the connection was cut, or what was here was no beginning of the file and is removed.
    Later(Error),
    Never(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Never(error)
    }
}

impl<'a> Download<'a> {
    pub(crate) fn new(
        file: &'a SetFile,
        most: u64,
        part: &'a Path,
        patience: &'a Patience,
    ) -> Self {
        let config = Agent::config_builder()
            .user_agent(concat!("percept/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .timeout_connect(Some(CONNECTING))
            .timeout_recv_response(Some(patience.silence))
            .timeout_per_read(Some(patience.silence));
        Self { agent: config.build().into(), file, most, part, patience }
    }

    /// Receives what is missing of the file, and checks the whole.
    pub(crate) fn from(&self, url: &str, observer: &mut dyn FnMut(&Event)) -> Result<(), Error> {
        let resumed = self.here() > 0;
        observer(&Event::Started { from: url.to_owned(), bytes: self.file.bytes });
        self.receive(url, observer)?;
        match checksum::check(self.part, self.file) {
            // What was here before was perhaps of another file.
            Err(Error::Checksum { .. }) if resumed => {
                observer(&Event::Again);
                self.receive(url, observer)?;
                checksum::check(self.part, self.file)
            }
            checked => checked,
        }
    }

    /// How much of the file is here.
    fn here(&self) -> u64 {
        self.part.metadata().map_or(0, |metadata| metadata.len())
    }

    fn receive(&self, url: &str, observer: &mut dyn FnMut(&Event)) -> Result<(), Error> {
        let (mut failures, mut pause) = (0, self.patience.pause);
        loop {
            let before = self.here();
            let error = match self.piece(url, before, observer) {
                Ok(()) => return Ok(()),
                Err(Stop::Never(error)) => return Err(error),
                Err(Stop::Later(error)) => error,
            };
            if self.here() >= before.saturating_add(WORTHWHILE) {
                (failures, pause) = (0, self.patience.pause);
            }
            failures += 1;
            if failures > self.patience.retries {
                return Err(error);
            }
            observer(&Event::Waiting { reason: error.with_causes(), pause });
            thread::sleep(pause);
            pause *= 2;
        }
    }

    /// Asks for everything from byte `here` on, and writes what comes.
    fn piece(&self, url: &str, here: u64, observer: &mut dyn FnMut(&Event)) -> Result<(), Stop> {
        match self.file.bytes {
            Some(bytes) if here == bytes => return Ok(()),
            _ if here > self.most => {
                self.open(0)?;
                let error = self.wrong_size(&self.part.display().to_string(), here.to_string());
                return Err(Stop::Later(error));
            }
            _ => {}
        }
        let request = match here {
            0 => self.agent.get(url),
            _ => self.agent.get(url).header(RANGE, format!("bytes={here}-")),
        };
        let response = request.call().map_err(|source| {
            let passing = passing(&source);
            let error = Error::Unreachable { url: url.to_owned(), source: Box::new(source) };
            if passing { Stop::Later(error) } else { Stop::Never(error) }
        })?;
        let start = self.start(url, here, &response)?;
        let announced = number(&response, CONTENT_LENGTH).map(|len| len.saturating_add(start));
        let total = self.total(url, announced)?;
        if here > 0 && start == 0 {
            observer(&Event::Again);
        }
        let output = self.open(start)?;
        self.write(url, response, output, start, total, observer)
    }

    /// Where what the server sends begins.
    fn start(&self, url: &str, here: u64, response: &Response<Body>) -> Result<u64, Stop> {
        let status = response.status();
        match status {
            StatusCode::OK => Ok(0),
            StatusCode::PARTIAL_CONTENT => {
                let range = text(response, CONTENT_RANGE);
                match parse_range(&range) {
                    Some((start, total)) if start == here => {
                        self.total(url, total)?;
                        Ok(start)
                    }
                    _ => {
                        Err(Error::Range { url: url.to_owned(), expected: here, found: range }
                            .into())
                    }
                }
            }
            _ => {
                let error = Error::Status { url: url.to_owned(), status: status.to_string() };
                let passing = status.is_server_error()
                    || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS]
                        .contains(&status);
                if status == StatusCode::RANGE_NOT_SATISFIABLE && here > 0 {
                    self.open(0)?;
                    return Err(Stop::Later(error));
                }
                Err(if passing { Stop::Later(error) } else { Stop::Never(error) })
            }
        }
    }

    /// The size of the whole file, after what the server says of it was held against what is known.
    fn total(&self, url: &str, announced: Option<u64>) -> Result<Option<u64>, Error> {
        let known = self.file.bytes;
        let fits = |announced: u64| match known {
            Some(bytes) => announced == bytes,
            None => announced <= self.most,
        };
        match announced {
            Some(announced) if !fits(announced) => {
                Err(self.wrong_size(url, format!("a server that announces {announced}")))
            }
            _ => Ok(known.or(announced)),
        }
    }

    fn wrong_size(&self, url: &str, found: String) -> Error {
        let expected = match self.file.bytes {
            Some(bytes) => bytes.to_string(),
            None => format!("at most {}", self.most),
        };
        Error::Size { from: url.to_owned(), expected, found }
    }

    /// The file that it is received into, cut or kept to `start` bytes.
    fn open(&self, start: u64) -> Result<File, Error> {
        let io = |source| Error::Io { doing: "write", path: self.part.to_owned(), source };
        if start == 0 {
            return File::create(self.part).map_err(io);
        }
        OpenOptions::new().append(true).open(self.part).map_err(io)
    }

    fn write(
        &self,
        url: &str,
        response: Response<Body>,
        mut output: File,
        start: u64,
        total: Option<u64>,
        observer: &mut dyn FnMut(&Event),
    ) -> Result<(), Stop> {
        let most = total.unwrap_or(self.most);
        // One byte more than there may be, to see whether there is more.
        let mut input = response.into_body().into_reader().take(most + 1 - start);
        let mut here = start;
        let received = transfer(&mut input, &mut output, |moved| {
            here = start + moved;
            observer(&Event::Received(here));
        });
        let reason = match received {
            Ok(()) if here > most => {
                self.open(0)?;
                return Err(self.wrong_size(url, format!("more than {most}")).into());
            }
            Ok(()) if total.is_none_or(|total| here == total) => return Ok(()),
            Ok(()) => "the server ended it".to_owned(),
            Err(Failed::Reading(error)) => error.to_string(),
            Err(Failed::Writing(source)) => {
                let path = self.part.to_owned();
                return Err(Error::Io { doing: "write", path, source }.into());
            }
        };
        let expected = total.map_or_else(|| "all".to_owned(), |total| total.to_string());
        Err(Stop::Later(Error::CutOff { url: url.to_owned(), expected, found: here, reason }))
    }
}

/// Whether it may be better in a moment. A certificate that is not trusted comes as invalid data.
fn passing(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => error.kind() != ErrorKind::InvalidData,
        ureq::Error::Timeout(_) | ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => true,
        _ => false,
    }
}

fn text(response: &Response<Body>, name: HeaderName) -> String {
    let value = response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    value.unwrap_or_default().into_owned()
}

fn number(response: &Response<Body>, name: HeaderName) -> Option<u64> {
    text(response, name).trim().parse().ok()
}

/// First byte and size of the whole from `bytes 1000-1999/2000`; the size may be `*`.
fn parse_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (start, _) = range.split_once('-')?;
    Some((start.trim().parse().ok()?, total.trim().parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_servers_write_them() {
        assert_eq!(parse_range("bytes 1000-1999/2000"), Some((1000, Some(2000))));
        assert_eq!(parse_range("bytes 5-9/*"), Some((5, None)));
        assert_eq!(parse_range("bytes */2000"), None);
        assert_eq!(parse_range("items 1-2/3"), None);
        assert_eq!(parse_range(""), None);
    }
}
