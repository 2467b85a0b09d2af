//! From a mirror into a folder, however often the connection breaks.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use ureq::http::{Uri, header};
use ureq::{Agent, Timeout};

use crate::error::{Error, Failure};
use crate::release::{MIRRORS, Release, RemoteFile};

/// How often an [`Observer`] is asked whether to stop while nothing comes.
const POLL: Duration = Duration::from_millis(50);

/// Bytes that are handed from the connection to the disk at once.
const CHUNK: usize = 1 << 16;

/// What a download is told by, and tells how it goes. `()` is one that does nothing.
pub trait Observer {
    /// How many bytes of all files are there (`done`), out of `total`. It can go back: when a
    /// mirror cannot continue a file, or a file turns out wrong.
    fn progress(&mut self, done: u64, total: u64) {
        let _ = (done, total);
    }

    /// Something failed, and what is done about it. The download goes on, unless
    /// [`Trouble::next`] says otherwise.
    fn trouble(&mut self, trouble: &Trouble<'_>) {
        let _ = trouble;
    }

    /// Whether to stop, such as after Ctrl+C. Asked at least 20 times a second while something is downloaded,
    /// and before each file that is made of it.
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for () {}

/// Something that failed. Its `Display` is one line.
#[derive(Debug)]
pub struct Trouble<'a> {
    /// The file's name.
    pub file: &'a str,
    /// The mirror's address; or the path of what an earlier download left, if that is wrong.
    pub place: &'a str,
    /// What failed.
    pub failure: &'a Failure,
    /// What comes next.
    pub next: Next,
}

impl fmt::Display for Trouble<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Trouble {
            file,
            place,
            failure,
            next,
        } = self;
        write!(f, "{file}: {place} {failure}; {next}")
    }
}

/// What is done after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The same mirror is asked for the rest after a pause.
    Again {
        /// The length of the pause.
        after: Duration,
    },
    /// What is there is discarded, and the whole file downloaded.
    FromStart,
    /// The next mirror is asked.
    OtherMirror,
    /// There is no other mirror: the download fails.
    GiveUp,
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again { after } => write!(f, "trying again in {} s", after.as_secs_f32()),
            Self::FromStart => f.write_str("discarded, downloading all of it"),
            Self::OtherMirror => f.write_str("asking the next mirror"),
            Self::GiveUp => f.write_str("no mirror is left"),
        }
    }
}

/// A release to be brought into a folder.
#[derive(Clone, Debug)]
pub struct Download {
    /// The files.
    pub release: Release,
    /// Addresses of mirrors, in the order in which they are asked: a file `NAME` is expected at
    /// `MIRROR/NAME`. With `http` or `https`. The mirror that gave a file is asked first for the
    /// next one.
    pub mirrors: Vec<String>,
    /// The folder that the files go to, created if need be.
    pub folder: PathBuf,
    /// How long to wait for a connection, for an answer, and for more of a file. When it is over,
    /// the connection counts as broken.
    pub patience: Duration,
    /// How often a mirror that has answered is asked in a row without anything new coming from it.
    pub attempts: u32,
    /// The pause before the second attempt. It is doubled before each one after that.
    pub back_off: Duration,
}

impl Download {
    /// MNIST from its [`MIRRORS`] to `folder`, with a patience of 20 seconds, and five attempts
    /// within 15 seconds.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            release: Release::mnist(),
            mirrors: MIRRORS.map(String::from).into(),
            folder: folder.into(),
            patience: Duration::from_secs(20),
            attempts: 5,
            back_off: Duration::from_secs(1),
        }
    }

    /// Downloads what is not in the folder yet, so that every file of the release is there with the
    /// right checksum.
    ///
    /// A file has the name `NAME.part` until it is whole and right. What is in such a file is
    /// continued, by this mirror or another; what has a wrong checksum is discarded. Nothing is
    /// asked of the network for files that are there already.
    ///
    /// Connections use the proxy that the environment names (`HTTPS_PROXY` and so on), but not to
    /// this machine. Certificates are checked against Mozilla's list.
    ///
    /// # Errors
    ///
    /// [`Error::MirrorAddress`] before anything else; [`Error::Download`] if no mirror gives a file;
    /// [`Error::Cancelled`] if the observer says so; [`Error::Busy`] if another process is at it;
    /// [`Error::Read`] and [`Error::Write`] for the folder.
    pub fn run(&self, observer: &mut dyn Observer) -> Result<(), Error> {
        let mut mirrors = self
            .mirrors
            .iter()
            .map(|url| self.mirror(url))
            .collect::<Result<Vec<_>, _>>()?;
        fs::create_dir_all(&self.folder).map_err(|cause| Error::Write {
            path: self.folder.clone(),
            cause,
        })?;
        let mut watch = Watch {
            observer,
            before: 0,
            total: self.release.bytes(),
        };
        for file in self.release.files() {
            self.file(file, &mut mirrors, &mut watch)?;
            watch.before += file.bytes;
        }
        Ok(())
    }

    fn mirror<'a>(&self, url: &'a str) -> Result<Mirror<'a>, Error> {
        let error = || Error::MirrorAddress { url: url.into() };
        let uri: Uri = url.parse().map_err(|_| error())?;
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(error)?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(error());
        }
        let config = Agent::config_builder()
            // What a status means is decided here.
            .http_status_as_error(false)
            // The checksums are of the files as they are stored.
            .accept_encoding("identity")
            .user_agent(concat!("activation-lab/", env!("CARGO_PKG_VERSION")))
            // One connection for one request: a thread that is no longer waited for keeps none.
            .max_idle_connections(0)
            .timeout_resolve(Some(self.patience))
            .timeout_connect(Some(self.patience))
            .timeout_send_request(Some(self.patience))
            .timeout_recv_response(Some(self.patience))
            .timeout_per_read(Some(self.patience));
        let config = if is_this_machine(host) {
            config.proxy(None)
        } else {
            config
        };
        Ok(Mirror {
            url,
            agent: config.build().into(),
            answered: false,
        })
    }

    fn file(
        &self,
        file: &RemoteFile,
        mirrors: &mut [Mirror<'_>],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        watch.check()?;
        let path = self.folder.join(&file.name);
        if path.is_file() {
            let found = sha256_of(&path)?;
            if found == file.sha256 {
                watch.progress(file.bytes);
                return Ok(());
            }
            watch.trouble(&Trouble {
                file: &file.name,
                place: &path.display().to_string(),
                failure: &wrong_sum(found, file),
                next: Next::FromStart,
            });
        }
        let mut part = Part::open(self.folder.join(format!("{}.part", file.name)), file.bytes)?;
        watch.progress(part.length);
        match self.fill(&mut part, file, mirrors, watch) {
            Ok(()) => part.publish(&path),
            Err(error) => {
                part.leave();
                Err(error)
            }
        }
    }

    /// Asks the mirrors one after the other until the part is the whole file.
    fn fill(
        &self,
        part: &mut Part,
        file: &RemoteFile,
        mirrors: &mut [Mirror<'_>],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let mut failures = Vec::new();
        let count = mirrors.len();
        for (index, mirror) in mirrors.iter_mut().enumerate() {
            let Some(failure) = self.fill_from(mirror, part, file, watch)? else {
                // What did not work for this file is not tried first for the next one.
                mirrors.rotate_left(index);
                return Ok(());
            };
            let last = index + 1 == count;
            watch.trouble(&Trouble {
                file: &file.name,
                place: mirror.url,
                failure: &failure,
                next: if last {
                    Next::GiveUp
                } else {
                    Next::OtherMirror
                },
            });
            failures.push((mirror.url.to_string(), failure));
        }
        Err(Error::Download {
            file: file.name.clone(),
            failures,
        })
    }

    /// Makes the part the whole file, or says why this mirror cannot.
    fn fill_from(
        &self,
        mirror: &mut Mirror<'_>,
        part: &mut Part,
        file: &RemoteFile,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Failure>, Error> {
        part.inherited = part.length > 0;
        let mut furthest = part.length;
        let mut in_vain = 0;
        loop {
            if part.length < file.bytes
                && let Some(failure) = self.continue_part(mirror, part, file, watch)?
            {
                if part.length > furthest {
                    furthest = part.length;
                    in_vain = 0;
                }
                in_vain += 1;
                if in_vain >= self.attempts || !is_temporary(&failure, mirror.answered) {
                    return Ok(Some(failure));
                }
                let doubled = 1 << (in_vain - 1).min(10);
                let after = self.back_off.saturating_mul(doubled);
                watch.trouble(&Trouble {
                    file: &file.name,
                    place: mirror.url,
                    failure: &failure,
                    next: Next::Again { after },
                });
                watch.pause(after)?;
                continue;
            }
            let found = part.sha256()?;
            if found == file.sha256 {
                return Ok(None);
            }
            let failure = wrong_sum(found, file);
            let inherited = part.inherited;
            part.clear()?;
            watch.progress(0);
            if !inherited {
                return Ok(Some(failure));
            }
            // The beginning came from elsewhere: this mirror's file may be right.
            watch.trouble(&Trouble {
                file: &file.name,
                place: &part.path.display().to_string(),
                failure: &failure,
                next: Next::FromStart,
            });
            furthest = 0;
            in_vain = 0;
        }
    }

    /// One request for what is missing of the part. The mirror has `answered` as soon as it says
    /// anything.
    fn continue_part(
        &self,
        mirror: &mut Mirror<'_>,
        part: &mut Part,
        file: &RemoteFile,
        watch: &mut Watch<'_>,
    ) -> Result<Option<Failure>, Error> {
        let receiver = match mirror.request(&file.name, part.length) {
            Ok(receiver) => receiver,
            Err(cause) => return Ok(Some(Failure::Cut { cause })),
        };
        // Whether this request is being answered.
        let mut begun = false;
        loop {
            watch.check()?;
            let message = match receiver.recv_timeout(POLL) {
                Ok(message) => message,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => Message::End(Err(io::Error::other(
                    "the connection's thread ended too early",
                )
                .into())),
            };
            match message {
                Message::Head(head) => {
                    (mirror.answered, begun) = (true, true);
                    let failure = accept(&head, part, file)?;
                    watch.progress(part.length);
                    if failure.is_some() {
                        return Ok(failure);
                    }
                }
                Message::Bytes(bytes) => {
                    let length = part.length + bytes.len() as u64;
                    if length > file.bytes {
                        part.clear()?;
                        watch.progress(0);
                        return Ok(Some(Failure::Length {
                            found: length,
                            expected: file.bytes,
                        }));
                    }
                    part.append(&bytes)?;
                    watch.progress(part.length);
                }
                Message::End(Ok(())) if part.length == file.bytes => return Ok(None),
                Message::End(Ok(())) => {
                    let missing = file.bytes - part.length;
                    let cause = format!("{missing} bytes are missing");
                    return Ok(Some(Failure::Cut {
                        cause: io::Error::new(io::ErrorKind::UnexpectedEof, cause),
                    }));
                }
                Message::End(Err(error)) => return Ok(Some(self.failure(error, begun))),
            }
        }
    }

    /// What a failed request means. `begun` says whether the mirror had begun to answer it.
    fn failure(&self, error: ureq::Error, begun: bool) -> Failure {
        use io::ErrorKind as Kind;
        match error {
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                let cause = format!("no connection in {} s", self.patience.as_secs_f32());
                Failure::Unreachable {
                    cause: io::Error::new(Kind::TimedOut, cause),
                }
            }
            ureq::Error::Timeout(_) => Failure::Silent {
                patience: self.patience,
            },
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Failure::Unreachable {
                cause: error.into_io(),
            },
            ureq::Error::Io(cause) => match cause.kind() {
                // What TLS does not accept.
                Kind::InvalidData | Kind::InvalidInput => Failure::Protocol { cause },
                // What connections end with that there were.
                Kind::UnexpectedEof
                | Kind::ConnectionReset
                | Kind::ConnectionAborted
                | Kind::BrokenPipe => Failure::Cut { cause },
                _ if begun => Failure::Cut { cause },
                // A name that cannot be looked up has no kind of its own.
                _ => Failure::Unreachable { cause },
            },
            _ => Failure::Protocol {
                cause: error.into_io(),
            },
        }
    }
}

/// Whether the mirror's answer can be put into the part. Discards the part if the answer is the
/// whole file, or another part.
fn accept(head: &Head, part: &mut Part, file: &RemoteFile) -> Result<Option<Failure>, Error> {
    let start = match head.status {
        // The whole file, although the rest may have been asked for.
        200 => 0,
        206 if head.start == Some(part.length) => part.length,
        206 => {
            part.clear()?;
            return Ok(Some(Failure::Part));
        }
        status => {
            if status == 416 {
                // The mirror's file is shorter than the part.
                part.clear()?;
            }
            return Ok(Some(Failure::Status { status }));
        }
    };
    // Before the part is given up for it: a page of another length is not the file.
    if let Some(length) = head.length
        && start.checked_add(length) != Some(file.bytes)
    {
        return Ok(Some(Failure::Length {
            found: start.saturating_add(length),
            expected: file.bytes,
        }));
    }
    if start < part.length {
        part.clear()?;
    }
    Ok(None)
}

/// Whether the same mirror may do better in a moment. A mirror that has never answered is not
/// waited for while there may be others.
fn is_temporary(failure: &Failure, answered: bool) -> bool {
    match failure {
        Failure::Status { status } => matches!(status, 408 | 416 | 425 | 429 | 500..=599),
        Failure::Cut { .. } | Failure::Part => true,
        Failure::Unreachable { .. } | Failure::Silent { .. } => answered,
        Failure::Length { .. } | Failure::Checksum { .. } | Failure::Protocol { .. } => false,
    }
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
}

fn wrong_sum(found: String, file: &RemoteFile) -> Failure {
    Failure::Checksum {
        found,
        expected: file.sha256.clone(),
    }
}

/// An address, and how to connect to it.
struct Mirror<'a> {
    url: &'a str,
    agent: Agent,
    /// Whether it has said anything, of any file.
    answered: bool,
}

impl Mirror<'_> {
    /// Asks for a file from byte `offset` on. What comes is received on a thread of its own, so that
    /// a stop need not wait for it; the thread ends when nobody listens, or after the patience.
    fn request(&self, name: &str, offset: u64) -> io::Result<Receiver<Message>> {
        let url = format!("{}/{name}", self.url.trim_end_matches('/'));
        let agent = self.agent.clone();
        // A few messages ahead, and no more: the disk sets the pace.
        let (sender, receiver) = mpsc::sync_channel(4);
        thread::Builder::new()
            .name("download".into())
            .spawn(move || {
                let result = receive(&agent, &url, offset, &sender);
                // Nobody may be listening any more.
                let _ = sender.send(Message::End(result));
            })?;
        Ok(receiver)
    }
}

/// What comes over a connection, in this order: one head, bytes, one end.
enum Message {
    Head(Head),
    Bytes(Vec<u8>),
    End(Result<(), ureq::Error>),
}

struct Head {
    status: u16,
    /// The first byte that is sent, if the mirror says so.
    start: Option<u64>,
    /// How many bytes are sent, if the mirror says so.
    length: Option<u64>,
}

fn receive(
    agent: &Agent,
    url: &str,
    offset: u64,
    sender: &SyncSender<Message>,
) -> Result<(), ureq::Error> {
    let mut request = agent.get(url);
    if offset > 0 {
        request = request.header(header::RANGE, format!("bytes={offset}-"));
    }
    let response = request.call()?;
    let range = response.headers().get(header::CONTENT_RANGE);
    let head = Head {
        status: response.status().as_u16(),
        start: range.and_then(|range| first_byte(range.to_str().ok()?)),
        length: response.body().content_length(),
    };
    if sender.send(Message::Head(head)).is_err() {
        return Ok(());
    }
    let mut body = response.into_body().into_reader();
    loop {
        let mut bytes = vec![0; CHUNK];
        let count = match body.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        bytes.truncate(count);
        if sender.send(Message::Bytes(bytes)).is_err() {
            return Ok(());
        }
    }
}

/// The first number of `bytes 5-9/10`.
fn first_byte(content_range: &str) -> Option<u64> {
    let (unit, range) = content_range.trim().split_once(' ')?;
    let (first, _) = range.split_once('-')?;
    unit.eq_ignore_ascii_case("bytes")
        .then(|| first.trim().parse().ok())?
}

/// The observer, and where in all files the present one is.
struct Watch<'a> {
    observer: &'a mut dyn Observer,
    /// Bytes of the files before this one.
    before: u64,
    total: u64,
}

impl Watch<'_> {
    fn progress(&mut self, done: u64) {
        self.observer.progress(self.before + done, self.total);
    }

    fn trouble(&mut self, trouble: &Trouble<'_>) {
        self.observer.trouble(trouble);
    }

    fn check(&self) -> Result<(), Error> {
        if self.observer.cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }

    fn pause(&self, length: Duration) -> Result<(), Error> {
        let start = Instant::now();
        loop {
            self.check()?;
            let rest = length.saturating_sub(start.elapsed());
            if rest.is_zero() {
                return Ok(());
            }
            thread::sleep(rest.min(POLL));
        }
    }
}

/// The beginning of a file, on the disk.
struct Part {
    path: PathBuf,
    file: File,
    length: u64,
    /// Whether some of it came from elsewhere than the mirror that is asked now.
    inherited: bool,
}

impl Part {
    /// Opens what there is, or creates it empty. No other process can have it open then, where the
    /// file system knows locks.
    fn open(path: PathBuf, longest: u64) -> Result<Self, Error> {
        let write_error = |cause| Error::Write {
            path: path.clone(),
            cause,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(write_error)?;
        match file.try_lock() {
            // Without locks on this file system, two processes could spoil the part for each other.
            // The checksum would tell.
            Ok(()) | Err(TryLockError::Error(_)) => {}
            Err(TryLockError::WouldBlock) => return Err(Error::Busy { path }),
        }
        let length = file.metadata().map_err(write_error)?.len();
        let mut part = Self {
            path,
            file,
            length,
            inherited: length > 0,
        };
        if length > longest {
            part.clear()?;
        } else {
            let end = part.file.seek(SeekFrom::End(0));
            end.map_err(|cause| part.write_error(cause))?;
        }
        Ok(part)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(bytes);
        written.map_err(|cause| self.write_error(cause))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn clear(&mut self) -> Result<(), Error> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.rewind());
        cleared.map_err(|cause| self.write_error(cause))?;
        self.length = 0;
        self.inherited = false;
        Ok(())
    }

    /// Reads through the handle that is open: where locks are mandatory, no other one can.
    fn sha256(&mut self) -> Result<String, Error> {
        let sum = self.file.rewind().and_then(|()| sha256(&mut self.file));
        sum.map_err(|cause| Error::Read {
            path: self.path.clone(),
            cause,
        })
    }

    /// Gives the whole file its name.
    fn publish(self, path: &Path) -> Result<(), Error> {
        // A file that is seen under its name is on the disk.
        let published = self
            .file
            .sync_all()
            .and_then(|()| fs::rename(&self.path, path));
        published.map_err(|cause| Error::Write {
            path: path.to_path_buf(),
            cause,
        })
    }

    /// Keeps the part for the next time, if there is anything in it.
    fn leave(self) {
        if self.length == 0 {
            drop(self.file);
            // Already failing: that an empty file cannot be removed adds nothing.
            let _ = fs::remove_file(&self.path);
        }
    }

    fn write_error(&self, cause: io::Error) -> Error {
        Error::Write {
            path: self.path.clone(),
            cause,
        }
    }
}

fn sha256_of(path: &Path) -> Result<String, Error> {
    let sum = File::open(path).and_then(|mut file| sha256(&mut file));
    sum.map_err(|cause| Error::Read {
        path: path.to_path_buf(),
        cause,
    })
}

fn sha256(reader: &mut impl Read) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(reader, &mut hash)?;
    Ok(files::hex(&hash.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        assert_eq!(first_byte("bytes 5-9/10"), Some(5));
        assert_eq!(first_byte("Bytes 0-9/*"), Some(0));
        for wrong in ["", "bytes", "bytes */10", "items 5-9/10", "bytes x-9/10"] {
            assert_eq!(first_byte(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_of_mirrors() {
        let download = Download::new("unused");
        for url in ["http://a", "https://a.b:80/c/", "http://[::1]:80"] {
            assert!(download.mirror(url).is_ok(), "{url}");
        }
        for url in [
            "",
            "a",
            "a.b/c",
            "ftp://a",
            "file:///a",
            "http://",
            "http://a b",
        ] {
            let error = download.mirror(url).map(|mirror| mirror.url).unwrap_err();
            assert!(matches!(error, Error::MirrorAddress { .. }), "{url}");
        }
    }

    /// What a look-up of a name without a network ends with has no kind.
    #[test]
    fn names_that_cannot_be_looked_up() {
        let download = Download::new("unused");
        let failure = |begun| download.failure(io::Error::other("no such name").into(), begun);
        assert!(matches!(failure(false), Failure::Unreachable { .. }));
        assert!(matches!(failure(true), Failure::Cut { .. }));
        assert!(!is_temporary(&failure(false), false));
        // In the middle of a download, the network may come back.
        assert!(is_temporary(&failure(false), true));
    }

    #[test]
    fn this_machine_needs_no_proxy() {
        for host in ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(is_this_machine(host), "{host}");
        }
        for host in ["example.org", "10.0.0.1", "localhost.example.org"] {
            assert!(!is_this_machine(host), "{host}");
        }
    }
}
