//! A running `microtome serve`, and a client of it that can also be rude.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tungstenite::{Message, WebSocket};

/// What no test waits longer for.
pub const LONG: Duration = Duration::from_secs(60);

/// The process, on a port of its own.
pub struct Server {
    child: Child,
    /// As it was printed.
    pub url: String,
    /// Host and port.
    pub place: String,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {} {}", self.head, self.text()))
    }
}

impl Server {
    /// Starts it in `dir`, with a small simulated camera unless `arguments` name another.
    pub fn start(dir: &Path, arguments: &[&str]) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_microtome"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--threads", "1"]).args(arguments).current_dir(dir);
        if !arguments.contains(&"--source") {
            command.args(["--size", "160x120", "--fps", "50"]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("serving ").unwrap_or_else(|| panic!("{line}")).to_owned();
        let place = url.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
        Server { child, url, place }
    }

    /// Sends these bytes and reads to the end of the connection.
    pub fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(&self.place).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        // Whoever is refused early may be cut off while he still talks.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").map_or(answer.len(), |at| at + 4);
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Answer { status, head, body: answer.split_off(end) }
    }

    /// A request; `headers` are lines. In HTTP/1.0, so that the answer's end is the connection's.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let host = if headers.iter().any(|line| line.starts_with("Host:")) {
            String::new()
        } else {
            format!("Host: {}\r\n", self.place)
        };
        let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
        let len = body.len();
        self.raw(
            format!("{method} {path} HTTP/1.0\r\n{host}{more}{kind}Content-Length: {len}\r\n\r\n{body}").as_bytes(),
        )
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    pub fn put(&self, path: &str, body: &str) -> Answer {
        self.ask("PUT", path, &[], body)
    }

    /// Asks for the status until it is as wanted.
    pub fn until(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let status = self.get("/api/status").json();
            if wanted(&status) {
                return status;
            }
            assert!(start.elapsed() < LONG, "{status}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A stream of frames, or the status that refuses one.
    pub fn stream(&self) -> Result<WebSocket<TcpStream>, u16> {
        let stream = TcpStream::connect(&self.place).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        match tungstenite::client(format!("ws://{}/api/stream", self.place), stream) {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(other) => panic!("{other}"),
        }
    }

    /// Sends SIGTERM and waits; the exit code.
    pub fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let start = Instant::now();
        while start.elapsed() < LONG {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("the server does not end");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next observation of a stream, with its picture.
pub fn next_frame(socket: &mut WebSocket<TcpStream>) -> (Value, Vec<u8>) {
    loop {
        let Message::Text(text) = socket.read().unwrap() else { continue };
        let message: Value = serde_json::from_str(&text).unwrap();
        if message["type"] == "observation" {
            let Message::Binary(jpeg) = socket.read().unwrap() else { panic!("a text came instead of a picture") };
            return (message, jpeg.to_vec());
        }
    }
}
