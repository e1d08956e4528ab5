//! In-memory capabilities behind HTTP, for tests of functions that run elsewhere: prints its URL, serves until its input
//! ends.
//!
//! `POST /` is a call of the protocol (`edge_fns::remote`). `POST /reset` begins anew, and `GET /calls` answers what was
//! called since, a call a line.

use edge_fns::executor::ready;
use edge_fns::remote::BODY_LIMIT;
use edge_fns::testing::Memory;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

struct Server {
    memory: Memory,
    calls: Vec<String>,
}

impl Server {
    fn new() -> Server {
        Server { memory: Memory::exchange(&["TEST", "OTHER"]), calls: Vec::new() }
    }

    fn answer(&mut self, method: &str, path: &str, body: &[u8]) -> Option<Vec<u8>> {
        match (method, path) {
            ("POST", "/") => {
                self.calls.push(String::from_utf8_lossy(body).into_owned());
                Some(ready(self.memory.served().answer(body)).expect("nothing waits in memory"))
            }
            ("POST", "/reset") => {
                *self = Server::new();
                Some(Vec::new())
            }
            ("GET", "/calls") => Some(self.calls.join("\n").into_bytes()),
            _ => None,
        }
    }
}

fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("http://{}/", listener.local_addr()?);
    let server = Arc::new(Mutex::new(Server::new()));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = server.clone();
            std::thread::spawn(move || {
                if let Err(error) = serve(stream, &server) {
                    eprintln!("a connection broke off: {error}");
                }
            });
        }
    });
    // Whoever started this holds the other end.
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink())?;
    Ok(())
}

/// Answers the requests of one connection, one after the other.
fn serve(stream: TcpStream, server: &Mutex<Server>) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let mut words = line.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let path = words.next().unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(|_| Error::from(ErrorKind::InvalidData))?;
            }
        }
        if length > BODY_LIMIT {
            return Err(ErrorKind::InvalidData.into());
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let answer = server.lock().unwrap_or_else(PoisonError::into_inner).answer(&method, &path, &body);
        let status = if answer.is_some() { "200 OK" } else { "404 Not Found" };
        let answer = answer.unwrap_or_default();
        let mut response =
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", answer.len()).into_bytes();
        response.extend_from_slice(&answer);
        writer.write_all(&response)?;
        line.clear();
    }
    Ok(())
}
