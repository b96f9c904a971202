//! `microtome serve` from outside: what it serves, whom it lets in, and how it ends.
#![cfg(all(feature = "serve", unix))]

mod common;
#[path = "common/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{expect, plan_in};
use serde_json::{Value, json};
use server::{LONG, Server, next_frame};
use tungstenite::Message;

/// The names of an object's members.
fn members(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("{value}")).keys().map(String::as_str).collect()
}

/// Fails where `value` lacks what the schema called `name` requires.
fn conforms(description: &Value, value: &Value, name: &str) {
    let required = description["components"]["schemas"][name]["required"].as_array().unwrap();
    for member in required {
        assert!(members(value).contains(member.as_str().unwrap()), "{name} lacks {member}: {value}");
    }
}

#[test]
fn everything_that_is_described_is_served() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let server = Server::start(dir.path(), &["threshold.mtm", "--out", "out", "--pixel-size-um", "0.5"]);
    server.until(|status| status["done"].as_u64() > Some(3));
    let description = server.get("/openapi.json").json();
    for (path, methods) in description["paths"].as_object().unwrap() {
        let Some(ok) = methods["get"]["responses"]["200"]["content"].as_object() else { continue };
        if path.contains('{') {
            continue;
        }
        let answer = server.get(path);
        let kind = ok.keys().next().unwrap();
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert!(answer.head.contains(&format!("content-type: {kind}")), "{path}: {}", answer.head);
        let reference = ok[kind]["schema"]["$ref"].as_str();
        if let Some(name) = reference.and_then(|reference| reference.strip_prefix("#/components/schemas/")) {
            conforms(&description, &answer.json(), name);
        }
    }
    let observation = server.get("/api/observation").json();
    assert_eq!((observation["width"].as_u64(), observation["height"].as_u64()), (Some(160), Some(120)));
    let objects = observation["objects"].as_array().unwrap();
    assert_eq!(observation["count"], objects.len());
    assert!(!objects.is_empty(), "the simulated stage has nuclei");
    objects.iter().for_each(|object| conforms(&description, object, "Object"));
    let sizes = server.get("/api/histogram").json();
    assert_eq!((&sizes["unit"], &sizes["bin_width"]), (&json!("um"), &json!(0.25)));
    assert!(image::load_from_memory(&server.get("/api/frame.jpg").body).unwrap().width() == 160);
    assert!(image::load_from_memory(&server.get("/api/overlay.png").body).unwrap().height() == 120);
    // The page and all it refers to.
    let page = server.get("/").text();
    let parts = page.split("=\"/").skip(1).map(|rest| format!("/{}", rest.split('"').next().unwrap()));
    for part in parts {
        assert_eq!(server.get(&part).status, 200, "{part}");
    }
    let head = server.get("/").head;
    assert!(head.contains("content-security-policy: default-src 'self'"), "{head}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn outlines_enclose_the_area_that_was_measured() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let server = Server::start(dir.path(), &["threshold.mtm"]);
    server.until(|status| status["done"].as_u64() > Some(0));
    let observation = server.get("/api/observation").json();
    for object in observation["objects"].as_array().unwrap() {
        let twice: i64 = object["outline"]
            .as_array()
            .unwrap()
            .iter()
            .map(|ring| {
                let ring: Vec<i64> = ring.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect();
                let next = ring[2..].iter().chain(&ring[..2]).copied().collect::<Vec<_>>();
                (0..ring.len()).step_by(2).map(|i| ring[i] * next[i + 1] - ring[i + 1] * next[i]).sum::<i64>()
            })
            .sum();
        assert_eq!(object["area_px"], twice / 2);
    }
}

#[test]
fn frames_stream_and_only_the_newest_to_who_is_slow() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let server = Server::start(dir.path(), &["threshold.mtm"]);
    let mut socket = server.stream().unwrap();
    let mut last = 0;
    for _ in 0..20 {
        let (observation, jpeg) = next_frame(&mut socket);
        let number = observation["number"].as_u64().unwrap();
        assert!(number > last);
        last = number;
        assert!(jpeg.starts_with(&[0xff, 0xd8]));
        socket.send(Message::text(number.to_string())).unwrap();
    }
    let status = server.until(|status| !status["shown"].is_null());
    assert!(status["shown"]["median_ms"].as_f64() > Some(0.0) && status["watchers"] == 1, "{status}");
    // Whoever answers nothing gets two frames, and then none.
    socket.get_ref().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (start, mut frames) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(1) {
        frames += usize::from(matches!(socket.read(), Ok(Message::Binary(_))));
    }
    assert!(frames <= 2, "{frames}");
    let ahead = server.until(|status| status["done"].as_u64() > Some(last + 20))["done"].as_u64().unwrap();
    socket.get_ref().set_read_timeout(Some(LONG)).unwrap();
    socket.send(Message::text((last + 1000).to_string())).unwrap();
    assert!(next_frame(&mut socket).0["number"].as_u64().unwrap() >= ahead);
    // Whoever talks nonsense is shown out.
    socket.send(Message::text("nonsense")).unwrap();
    server.until(|status| status["watchers"] == 0);
}

#[test]
fn streams_and_connections_are_bounded() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let server = Server::start(dir.path(), &["threshold.mtm"]);
    let mut streams: Vec<_> = (0..8).map(|_| server.stream().unwrap()).collect();
    assert_eq!(server.stream().err(), Some(503));
    drop(streams.pop());
    server.until(|status| status["watchers"] == 7);
    streams.push(server.stream().unwrap());
    drop(streams);
    server.until(|status| status["watchers"] == 0);
    // Who holds all connections and says nothing is dropped after a while, and meanwhile others are told.
    let mut idle: Vec<TcpStream> = (0..80).map(|_| TcpStream::connect(&server.place).unwrap()).collect();
    let mut answer = String::new();
    idle[79].set_read_timeout(Some(LONG)).unwrap();
    idle[79].read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    let start = Instant::now();
    while server.get("/api/status").status != 200 {
        assert!(start.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn half_a_head_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let server = Server::start(dir.path(), &["threshold.mtm"]);
    let mut stream = TcpStream::connect(&server.place).unwrap();
    stream.write_all(b"GET /api/status HTTP/1.1\r\nHost: local").unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let mut answer = Vec::new();
    let end = stream.read_to_end(&mut answer);
    assert!(end.is_ok() || answer.is_empty(), "the connection stayed open: {end:?}");
    let huge = format!("GET / HTTP/1.0\r\nHost: {}\r\nX: {}\r\n\r\n", server.place, "y".repeat(100_000));
    assert_eq!(server.raw(huge.as_bytes()).status, 431);
}

#[test]
fn a_token_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let (_, err) = expect(2, dir.path(), &["serve", "threshold.mtm", "--listen", "0.0.0.0:0"]);
    assert!(err.contains("--token auto"), "{err}");
    let (_, err) = expect(2, dir.path(), &["serve", "threshold.mtm", "--token", "short"]);
    assert!(err.contains("at least 12"), "{err}");
    let server = Server::start(dir.path(), &["threshold.mtm", "--token", "auto"]);
    let token = server.url.split("token=").nth(1).unwrap();
    for path in ["/", "/app.js", "/api/status", "/api/frame.jpg", "/openapi.json", "/none"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.json()["error"].is_string() && !answer.text().contains(token));
    }
    assert_eq!(server.stream().err(), Some(401));
    assert_eq!(server.ask("GET", "/api/status", &[&format!("Authorization: Bearer {token}")], "").status, 200);
    let answer = server.get(&format!("/?token={token}"));
    assert!(answer.status == 303 && answer.head.contains("location: /\r\n"), "{}", answer.head);
    let cookie = answer.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(server.ask("GET", "/api/status", &[&cookie], "").status, 200);
    assert_eq!(server.get(&format!("/?token={}", "0".repeat(32))).status, 401);
}

#[test]
fn foreign_pages_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let server = Server::start(dir.path(), &["threshold.mtm", "--out", "out"]);
    assert_eq!(server.ask("GET", "/api/status", &["Host: evil.example"], "").status, 403);
    let post = |origin: &str| server.ask("POST", "/api/recording", &[&format!("Origin: {origin}")], "").status;
    assert_eq!(post("http://evil.example"), 403);
    assert_eq!(post("null"), 403);
    assert!(fs::read_dir(dir.path().join("out")).unwrap().next().is_none());
    assert_eq!(post(&format!("http://{}", server.place)), 201);
}

#[test]
fn no_path_leads_out_and_no_body_is_too_large() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    fs::write(dir.path().join("secret.csv"), "secret").unwrap();
    let server = Server::start(dir.path(), &["threshold.mtm", "--out", "out", "--models", "."]);
    server.until(|status| status["done"].as_u64() > Some(0));
    assert_eq!(server.ask("POST", "/api/recording", &[], "").status, 201);
    let name = server.ask("DELETE", "/api/recording", &[], "").json()["recording"].as_str().unwrap().to_owned();
    assert_eq!(server.get(&format!("/api/recordings/{name}/objects.csv")).status, 200);
    for path in [
        "/../secret.csv",
        "/api/recordings/../secret.csv",
        "/api/recordings/%2e%2e/secret.csv",
        "/api/recordings/..%2fsecret.csv",
        "/api/recordings/..%2f..%2fetc/passwd",
        "/api/recordings/%2fetc/passwd",
        "/api/recordings/./objects.csv",
        "/api/archives/...zip",
        "/api/archives/..%2fout.zip",
        "/api/archives/%00.zip",
        "//secret.csv",
    ] {
        let answer = server.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(!answer.text().contains("secret\n") && !answer.text().contains("root:"), "{path}");
    }
    for file in ["../../secret.csv", "..%2f..%2fsecret.csv", "%2e%2e%2f%2e%2e%2fsecret.csv", ".", "..", ""] {
        assert_eq!(server.get(&format!("/api/recordings/{name}/{file}")).status, 404, "{file}");
    }
    for model in ["../secret", "threshold.mtm", "/etc/passwd", ""] {
        let answer = server.put("/api/model", &json!({ "model": model }).to_string());
        assert_eq!((answer.status, answer.json()["error"].is_string()), (404, true), "{model}");
    }
    let huge = json!({ "model": "x".repeat(100_000) }).to_string();
    assert_eq!(server.put("/api/model", &huge).status, 413);
    for (body, status) in [("{", 400), ("[]", 422), (r#"{"model": 1}"#, 422), (r#"{"model": "x", "y": 1}"#, 422)] {
        let answer = server.put("/api/model", body);
        assert_eq!((answer.status, answer.json()["error"].is_string()), (status, true), "{body}");
    }
    assert_eq!(server.ask("PUT", "/api/model", &["Content-Type: text/plain"], "").status, 415);
    assert_eq!(server.put("/api/status", "{}").status, 405);
    assert_eq!(server.put("/api/led", r#"{"level": 0.5}"#).status, 409);
    assert_eq!(server.put("/api/led", r#"{"level": 2}"#).status, 422);
}

#[test]
fn another_model_is_a_choice_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    fs::write(dir.path().join("broken.mtm"), "no plan").unwrap();
    let server = Server::start(dir.path(), &["threshold.mtm", "--models", "."]);
    let models = server.get("/api/model").json();
    assert_eq!(models, json!({ "model": "threshold", "models": ["nuclei (bundled)", "threshold", "broken"] }));
    let answer = server.put("/api/model", r#"{"model": "broken"}"#);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(server.get("/api/status").json()["model"], "threshold");
    // One table has no threshold; the bundled model has.
    assert_eq!(server.get("/api/threshold").json(), json!({ "threshold": null }));
    assert_eq!(server.put("/api/threshold", r#"{"threshold": 0.5}"#).status, 409);
    assert_eq!(server.put("/api/model", r#"{"model": "nuclei (bundled)"}"#).status, 200);
    assert_eq!(server.get("/api/threshold").json(), json!({ "threshold": 0.5 }));
    assert_eq!(server.put("/api/threshold", r#"{"threshold": 1}"#).status, 422);
    assert_eq!(server.put("/api/threshold", r#"{"threshold": 0.75}"#).status, 200);
    assert_eq!(server.get("/api/status").json()["threshold"], 0.75);
    let done = server.until(|status| status["model"] == "nuclei (bundled)")["done"].as_u64();
    server.until(|status| status["done"].as_u64() > done);
}

#[test]
fn a_recording_can_be_had_and_is_completed_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let server = Server::start(dir.path(), &["threshold.mtm", "--out", "out"]);
    assert_eq!(server.ask("DELETE", "/api/recording", &[], "").status, 409);
    let begun = server.ask("POST", "/api/recording", &[], "");
    assert_eq!(begun.status, 201);
    let first = begun.json()["recording"].as_str().unwrap().to_owned();
    assert_eq!(server.ask("POST", "/api/recording", &[], "").status, 409);
    // It is of one model.
    assert_eq!(server.put("/api/model", r#"{"model": "nuclei (bundled)"}"#).status, 409);
    let from = server.until(|status| status["recording"] == first)["done"].as_u64().unwrap();
    server.until(|status| status["done"].as_u64() > Some(from + 3));
    assert_eq!(server.ask("DELETE", "/api/recording", &[], "").json()["recording"], first);
    let files = server.get(&format!("/api/recordings/{first}")).json();
    let names: Vec<&str> = files.as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    let pictures = names.iter().filter(|name| name.ends_with("_labels.png")).count();
    assert!(pictures > 3 && ["objects.csv", "recording.json"].iter().all(|name| names.contains(name)), "{names:?}");
    let archive = server.get(&format!("/api/archives/{first}.zip"));
    assert!(archive.head.contains("application/zip"), "{}", archive.head);
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(archive.body)).unwrap();
    assert_eq!(archive.len(), names.len());
    for name in names {
        let mut there = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut there).unwrap();
        assert_eq!(there, server.get(&format!("/api/recordings/{first}/{name}")).body, "{name}");
        assert_eq!(there, fs::read(dir.path().join("out").join(&first).join(name)).unwrap(), "{name}");
    }
    // The second runs when the server is told to stop.
    let second = server.ask("POST", "/api/recording", &[], "").json()["recording"].as_str().unwrap().to_owned();
    let from = server.until(|status| status["recording"] == second)["done"].as_u64().unwrap();
    server.until(|status| status["done"].as_u64() > Some(from + 3));
    let mut socket = server.stream().unwrap();
    next_frame(&mut socket);
    assert_eq!(server.terminate(), Some(0));
    let table = fs::read_to_string(dir.path().join("out").join(&second).join("objects.csv")).unwrap();
    assert!(table.lines().count() > 3, "{table}");
    let left_over = fs::read_dir(dir.path().join("out").join(&second)).unwrap();
    assert!(left_over.flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with('.')));
}

#[test]
fn a_camera_that_is_gone_is_said_and_what_can_not_be_recorded_too() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let server = Server::start(dir.path(), &["threshold.mtm", "--source", "http://127.0.0.1:9/none"]);
    let status = server.until(|status| status["camera"]["state"] == "waiting");
    assert!(status["camera"]["reason"].as_str().unwrap().contains("127.0.0.1:9"), "{status}");
    assert_eq!(server.get("/api/frame.jpg").status, 404);
    assert_eq!(server.get("/api/observation").status, 404);
    let answer = server.ask("POST", "/api/recording", &[], "");
    assert_eq!((answer.status, answer.json()["error"].as_str().unwrap().contains("--out")), (409, true));
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn of_frames_none_is_lost_silently() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "9", "--width", "64", "--height", "48"]);
    // A file's frames come once; then the pipeline has ended, and the page is still served.
    let server = Server::start(dir.path(), &["threshold.mtm", "--source", "sim/images/simulated_0000.png"]);
    let status = server.until(|status| status["camera"]["state"] == "ended");
    let count = |name: &str| status["frames"][name].as_u64().unwrap();
    assert_eq!(count("received"), status["done"].as_u64().unwrap() + count("dropped"));
    assert_eq!(server.get("/api/observation").json()["number"], 1);
    let answer = server.put("/api/model", r#"{"model": "nuclei (bundled)"}"#);
    assert_eq!(answer.status, 409, "{}", answer.text());
    assert_eq!(server.terminate(), Some(0));
}
