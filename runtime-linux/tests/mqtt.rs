//! Results at a real broker: Debian's mosquitto, where it is installed (`cargo xtask test` installs it).
#![cfg(feature = "mqtt")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

const LONG: Duration = Duration::from_secs(60);

/// Ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn broker(port: u16, dir: &std::path::Path) -> Process {
    let settings = dir.join("mosquitto.conf");
    std::fs::write(&settings, format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")).unwrap();
    let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
    let child = Command::new("mosquitto").arg("-c").arg(settings).env("PATH", path).stderr(Stdio::null()).spawn();
    Process(child.expect("mosquitto is not installed; `cargo xtask host` does it"))
}

fn microtome(port: u16) -> Process {
    let address = format!("mqtt://127.0.0.1:{port}/lab/scope");
    let child = Command::new(env!("CARGO_BIN_EXE_microtome"))
        .args(["live", "--size", "128x96", "--mqtt", &address])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    Process(child.unwrap())
}

/// What arrives under the topic.
fn subscribe(port: u16) -> (rumqttc::Client, Receiver<(String, Vec<u8>)>) {
    let options = rumqttc::MqttOptions::new("test", "127.0.0.1", port);
    let (client, mut connection) = rumqttc::Client::new(options, 10);
    client.subscribe("lab/scope/+", rumqttc::QoS::AtLeastOnce).unwrap();
    let (sender, messages) = channel();
    std::thread::spawn(move || {
        for event in connection.iter() {
            match event {
                Ok(rumqttc::Event::Incoming(rumqttc::Packet::Publish(message))) => {
                    if sender.send((message.topic, message.payload.to_vec())).is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    });
    (client, messages)
}

fn until(messages: &Receiver<(String, Vec<u8>)>, topic: &str) -> Vec<u8> {
    let start = std::time::Instant::now();
    loop {
        let (found, payload) = messages.recv_timeout(LONG).unwrap_or_else(|e| panic!("no {topic}: {e}"));
        assert!(start.elapsed() < LONG, "no {topic}");
        if found == format!("lab/scope/{topic}") {
            return payload;
        }
    }
}

#[test]
fn a_broker_that_comes_late_gets_frames_objects_and_how_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut process = microtome(port);
    let mut errors = BufReader::new(process.0.stderr.take().unwrap()).lines();
    // It says that nobody is there, and goes on.
    assert!(errors.by_ref().map_while(Result::ok).any(|line| line.contains("trying again")));
    let _broker = broker(port, dir.path());
    let (_client, messages) = subscribe(port);
    assert_eq!(until(&messages, "status"), b"online");
    let frame: Value = serde_json::from_slice(&until(&messages, "frame")).unwrap();
    let objects: Value = serde_json::from_slice(&until(&messages, "objects")).unwrap();
    assert!(frame["count"].as_u64().unwrap() > 0 && frame.get("objects").is_none());
    assert_eq!(objects["objects"].as_array().unwrap().len() as u64, objects["count"].as_u64().unwrap());
    Command::new("kill").args(["-TERM", &process.0.id().to_string()]).status().unwrap();
    assert_eq!(until(&messages, "status"), b"offline");
    assert!(process.0.wait().unwrap().success());
}
