//! Motion JPEG over HTTP, as OpenFlexure and most network cameras serve it (`multipart/x-mixed-replace`).
//!
//! The request is HTTP/1.0, to which a server answers with the bytes as they are: no chunks between them. Reads time out, so a silent server
//! is noticed and closing needs nobody's help.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::jpeg::{self, Splitter};
use super::{Camera, Options, Shot, Trouble};

/// How long a server may take to accept and to answer.
const CONNECT: Duration = Duration::from_secs(5);
/// Answers whose head is longer are none.
const LONGEST_HEAD: usize = 16 << 10;
/// Headers at most.
const HEADERS: usize = 64;

/// A stream of JPEGs.
pub struct Http {
    url: String,
    connection: TcpStream,
    splitter: Splitter,
    colour: bool,
    buffer: Vec<u8>,
}

impl Http {
    /// # Errors
    /// When the server cannot be reached, or answers with something else.
    pub fn open(url: &str, options: &Options) -> Result<Self, String> {
        let bad = |e: &dyn std::fmt::Display| format!("{url}: {e}");
        let (host, path) = parts(url).ok_or_else(|| bad(&"expected http://HOST[:PORT]/PATH"))?;
        let address = if has_port(host) { host.to_owned() } else { format!("{host}:80") };
        let mut addresses = address.to_socket_addrs().map_err(|e| bad(&e))?;
        let address = addresses.next().ok_or_else(|| bad(&"the name has no address"))?;
        let mut connection = TcpStream::connect_timeout(&address, CONNECT).map_err(|e| bad(&e))?;
        connection.set_read_timeout(Some(CONNECT)).map_err(|e| bad(&e))?;
        connection.set_write_timeout(Some(CONNECT)).map_err(|e| bad(&e))?;
        let agent = concat!("microtome/", env!("CARGO_PKG_VERSION"));
        let request = format!("GET {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\r\n");
        // In one piece: a server that answers after the first would reset what it has not read.
        connection.write_all(request.as_bytes()).map_err(|e| bad(&e))?;
        let body = answer(&mut connection).map_err(|e| bad(&e))?;
        let mut splitter = Splitter::default();
        splitter.push(&body);
        Ok(Http { url: url.into(), connection, splitter, colour: options.colour, buffer: vec![0; 1 << 16] })
    }
}

/// Host (with its port) and path of a URL; nothing in them can end a line of the request.
fn parts(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("http://")?;
    let (host, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let printable = url.bytes().all(|byte| byte.is_ascii_graphic());
    (printable && !host.is_empty() && !host.contains('@')).then_some((host, path))
}

fn has_port(host: &str) -> bool {
    // An IPv6 address stands in brackets.
    host.rsplit_once(':').is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads the answer's head; returns what came of its body already.
fn answer(connection: &mut TcpStream) -> Result<Vec<u8>, String> {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    let deadline = Instant::now() + CONNECT;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = httparse::Response::new(&mut headers);
        if let httparse::Status::Complete(length) = response.parse(&head).map_err(|e| format!("no HTTP: {e}"))? {
            let code = response.code.unwrap_or(0);
            if code != 200 {
                return Err(format!("the server answers {code} {}", response.reason.unwrap_or("")));
            }
            let chunked = response.headers.iter().any(|header| header.name.eq_ignore_ascii_case("transfer-encoding"));
            if chunked {
                return Err("the server answers HTTP/1.0 with chunks (expected the bytes as they are)".into());
            }
            return Ok(head.split_off(length));
        }
        if head.len() > LONGEST_HEAD || Instant::now() > deadline {
            return Err("the server's answer has no end to its headers".into());
        }
        match connection.read(&mut buffer).map_err(|e| e.to_string())? {
            0 => return Err("the server hung up without an answer".into()),
            read => head.extend_from_slice(&buffer[..read]),
        }
    }
}

impl Camera for Http {
    fn next(&mut self, patience: Duration) -> Result<Shot, Trouble> {
        let gone = |e: &dyn std::fmt::Display| Trouble::Gone(format!("{}: {e}", self.url));
        let deadline = Instant::now() + patience;
        loop {
            if let Some(picture) = self.splitter.next_picture() {
                return jpeg::decode(&picture, self.colour).map(Shot::now).map_err(Trouble::Spoilt);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Trouble::Late);
            }
            self.connection.set_read_timeout(Some(left)).map_err(|e| gone(&e))?;
            match self.connection.read(&mut self.buffer) {
                Ok(0) => return Err(gone(&"the server closed the stream")),
                Ok(read) => self.splitter.push(&self.buffer[..read]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(gone(&error)),
            }
        }
    }

    fn describe(&self) -> String {
        self.url.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::camera::Address;

    const LONG: Duration = Duration::from_secs(20);

    /// A server for one client, that writes these pieces and hangs up; its URL, and what it was asked.
    fn server(pieces: Vec<Vec<u8>>) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/stream.mjpg", listener.local_addr().unwrap());
        let serve = move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let length = client.read(&mut asked).unwrap();
            for piece in pieces {
                client.write_all(&piece).unwrap();
                client.flush().unwrap();
            }
            String::from_utf8_lossy(&asked[..length]).into_owned()
        };
        (url, std::thread::spawn(serve))
    }

    fn options(url: &str) -> Options {
        let source = Address::Http(url.into());
        Options { source, size: None, fps: None, pixel_format: None, colour: false, every_frame: false }
    }

    fn part(value: u8) -> Vec<u8> {
        let mut jpeg = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new(&mut jpeg);
        encoder.encode(&[value; 64], 8, 8, image::ExtendedColorType::L8).unwrap();
        let head = format!("--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        [head.into_bytes(), jpeg, b"\r\n".to_vec()].concat()
    }

    #[test]
    fn frames_of_a_multipart_stream_until_the_server_hangs_up() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n".to_vec();
        let (url, thread) = server(vec![[head, part(20)].concat(), part(200)]);
        let mut camera = Http::open(&url, &options(&url)).unwrap();
        let values: Vec<u16> = (0..2).map(|_| camera.next(LONG).unwrap().image.sample(0)).collect();
        assert_eq!(values, [20, 200]);
        assert!(matches!(camera.next(LONG), Err(Trouble::Gone(reason)) if reason.contains("closed")));
        assert!(thread.join().unwrap().starts_with("GET /stream.mjpg HTTP/1.0\r\n"));
    }

    #[test]
    fn other_answers_are_told() {
        for (answer, word) in
            [("HTTP/1.1 404 Not Found\r\n\r\n", "404"), ("garbage\r\n\r\n", "no HTTP"), ("HTTP/1.0 200", "hung up")]
        {
            let (url, thread) = server(vec![answer.as_bytes().to_vec()]);
            let error = Http::open(&url, &options(&url)).err().unwrap();
            assert!(error.contains(word), "{error}");
            thread.join().unwrap();
        }
        for url in ["http://", "http:///x", "http://a b/", "http://me@host/"] {
            assert!(Http::open(url, &options(url)).is_err(), "{url}");
        }
    }
}
