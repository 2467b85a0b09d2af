//! An HTTP server that does what a test wants.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub file: String,
    /// The first byte of the `Range`, if there was one.
    pub from: Option<usize>,
}

/// What a server does with a request.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// Sends the file, or the part of it that is asked for.
    Good,
    /// Sends all of the file, whatever part is asked for.
    NoRange,
    /// As `Good`, but closes the connection after so many bytes.
    Cut(usize),
    /// As `Good`, but falls silent after so many bytes.
    Stall(usize),
    /// Says nothing.
    Hang,
    /// Sends a status and a page.
    Status(u16),
    /// Sends as many bytes as the file has, but others.
    Wrong,
    /// Sends a page with status 200, as networks do that want a password first.
    Page,
    /// Sends without end, and without saying how much it will be.
    Endless,
    /// As `Good`, without saying how much it will be.
    NoLength,
    /// Sends the file from the start, but calls it a part.
    OtherPart,
}

pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// A server for these files that answers request number n, counted from 0, as `replies` says.
    pub fn new(
        files: &[(String, Vec<u8>)],
        replies: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/some/folder", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let files = Arc::new(files.to_vec());
        let replies = Arc::new(replies);
        let (log, stopped) = (requests.clone(), stop.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (log, stopped) = (log.clone(), stopped.clone());
                let (files, replies) = (files.clone(), replies.clone());
                thread::spawn(move || {
                    let mut stream = stream.unwrap();
                    let Some(request) = read(&stream) else { return };
                    let number = {
                        let mut log = log.lock().unwrap();
                        log.push(request.clone());
                        log.len() - 1
                    };
                    let file = files.iter().find(|(name, _)| *name == request.file);
                    let reply = replies(number, &request);
                    // The client may hang up at any time.
                    let _ = match file {
                        Some((_, bytes)) => answer(&mut stream, bytes, &request, reply, &stopped),
                        None => page(&mut stream, 404),
                    };
                });
            }
        });
        Self {
            url,
            requests,
            stop,
            thread: Some(thread),
        }
    }

    /// What was asked for so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let address = self.url.trim_start_matches("http://").split('/').next();
        drop(TcpStream::connect(address.unwrap()));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?;
    let file = path.strip_prefix("/some/folder/")?.to_string();
    let mut from = None;
    for line in lines {
        let line = line.ok()?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = Some(range.strip_suffix('-')?.parse().unwrap());
        }
    }
    Some(Request { file, from })
}

fn page(stream: &mut TcpStream, status: u16) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} x\r\nContent-Type: text/html\r\nContent-Length: 13\r\n\r\n<html></html>"
    )
}

fn answer(
    stream: &mut TcpStream,
    file: &[u8],
    request: &Request,
    reply: Reply,
    stopped: &AtomicBool,
) -> std::io::Result<()> {
    let from = match reply {
        Reply::NoRange | Reply::OtherPart | Reply::Wrong => 0,
        _ => request.from.unwrap_or(0),
    };
    let wrong = vec![7; file.len()];
    let body = match reply {
        Reply::Wrong => wrong.as_slice(),
        _ => &file[from..],
    };
    match reply {
        Reply::Status(status) => return page(stream, status),
        Reply::Page => return page(stream, 200),
        Reply::Hang => return wait(stopped),
        Reply::Endless => {
            write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            while !stopped.load(Ordering::Relaxed) {
                stream.write_all(&[1; 1000])?;
            }
            return Ok(());
        }
        _ => {}
    }
    if from > 0 || matches!(reply, Reply::OtherPart) {
        let last = file.len() - 1;
        let all = file.len();
        write!(stream, "HTTP/1.1 206 Partial Content\r\n")?;
        write!(stream, "Content-Range: bytes {from}-{last}/{all}\r\n")?;
    } else {
        write!(stream, "HTTP/1.1 200 OK\r\n")?;
    }
    if !matches!(reply, Reply::NoLength) {
        write!(stream, "Content-Length: {}\r\n", body.len())?;
    }
    write!(stream, "Connection: close\r\n\r\n")?;
    match reply {
        Reply::Cut(length) => stream.write_all(&body[..length.min(body.len())]),
        Reply::Stall(length) => {
            stream.write_all(&body[..length.min(body.len())])?;
            wait(stopped)
        }
        _ => stream.write_all(body),
    }
}

fn wait(stopped: &AtomicBool) -> std::io::Result<()> {
    while !stopped.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
