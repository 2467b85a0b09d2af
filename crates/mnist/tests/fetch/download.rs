//! What becomes of a download when things go wrong.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use mnist::{Download, Error, Failure, Observer, Trouble};

use crate::server::{Reply, Request, Server};
use crate::{Originals, names};

/// Writes down what it is told, and stops after so many bytes.
struct Log {
    progress: Vec<(u64, u64)>,
    troubles: Vec<String>,
    stop_at: u64,
}

impl Log {
    fn new() -> Self {
        Self {
            progress: Vec::new(),
            troubles: Vec::new(),
            stop_at: u64::MAX,
        }
    }
}

impl Observer for Log {
    fn progress(&mut self, done: u64, total: u64) {
        self.progress.push((done, total));
    }

    fn trouble(&mut self, trouble: &Trouble<'_>) {
        let text = trouble.to_string();
        assert!(!text.contains('\n'), "{text}");
        self.troubles.push(text);
    }

    fn cancelled(&self) -> bool {
        self.progress
            .last()
            .is_some_and(|&(done, _)| done >= self.stop_at)
    }
}

fn run(download: &Download) -> (Result<(), Error>, Log) {
    let mut log = Log::new();
    let result = download.run(&mut log);
    if let Err(error) = &result {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    (result, log)
}

/// All files are there, as they should be, and nothing else is.
fn assert_whole(folder: &Path, originals: &Originals) {
    for (name, bytes) in &originals.files {
        assert!(fs::read(folder.join(name)).unwrap() == *bytes, "{name}");
    }
    assert_eq!(names(folder).len(), 4, "{:?}", names(folder));
}

fn only_failure(error: Error) -> Failure {
    match error {
        Error::Download { mut failures, .. } if failures.len() == 1 => failures.remove(0).1,
        other => panic!("{other}"),
    }
}

/// An address that nobody listens at.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn from(file: &str, from: Option<usize>) -> Request {
    Request {
        file: file.into(),
        from,
    }
}

#[test]
fn whole_files_are_downloaded_once() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("new/folder");
    // A slash at the end of the address makes no difference.
    let download = originals.download(&inner, &[&format!("{}/", server.url)]);
    let (result, log) = run(&download);
    result.unwrap();
    assert_whole(&inner, &originals);
    assert!(log.troubles.is_empty(), "{:?}", log.troubles);
    let total = originals.release.bytes();
    assert_eq!(log.progress.last(), Some(&(total, total)));
    assert!(log.progress.is_sorted());
    let files = originals.files.iter();
    let expected: Vec<_> = files.map(|(name, _)| from(name, None)).collect();
    assert_eq!(server.requests(), expected);

    let (result, log) = run(&download);
    result.unwrap();
    assert_eq!(server.requests().len(), 4);
    assert_eq!(log.progress.last(), Some(&(total, total)));
}

#[test]
fn a_cut_connection_is_continued_where_it_broke() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |number, _| match number {
        0 => Reply::Cut(20_000),
        1 => Reply::Cut(5_000),
        _ => Reply::Good,
    });
    let folder = tempfile::tempdir().unwrap();
    let (result, log) = run(&originals.download(folder.path(), &[&server.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    assert_eq!(
        server.requests()[..4],
        [
            from("a-images.gz", None),
            from("a-images.gz", Some(20_000)),
            from("a-images.gz", Some(25_000)),
            from("a-labels.gz", None),
        ]
    );
    assert_eq!(log.troubles.len(), 2);
    let start = format!("a-images.gz: {} broke off (", server.url);
    assert!(log.troubles[0].starts_with(&start), "{}", log.troubles[0]);
    assert!(log.troubles[0].ends_with("; trying again in 0.001 s"));
    assert!(log.progress.is_sorted());
}

/// Three attempts are allowed, but only those count that bring nothing.
#[test]
fn a_connection_may_break_as_often_as_it_likes() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Cut(2_000));
    let folder = tempfile::tempdir().unwrap();
    let (result, log) = run(&originals.download(folder.path(), &[&server.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    assert!(log.troubles.len() > 10, "{:?}", log.troubles);
}

#[test]
fn another_mirror_continues_what_one_began() {
    let originals = Originals::new();
    let first = Server::new(&originals.files, |number, _| match number {
        0 => Reply::Cut(20_000),
        _ => Reply::Status(403),
    });
    let second = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let (result, _) = run(&originals.download(folder.path(), &[&first.url, &second.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    assert_eq!(second.requests()[0], from("a-images.gz", Some(20_000)));
}

#[test]
fn a_stopped_download_goes_on_the_next_time() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |number, _| match number {
        0 => Reply::Stall(20_000),
        _ => Reply::Good,
    });
    let folder = tempfile::tempdir().unwrap();
    let mut download = originals.download(folder.path(), &[&server.url]);
    // The stop must not wait for the connection.
    download.patience = Duration::from_secs(600);
    let mut log = Log::new();
    log.stop_at = 20_000;
    let start = Instant::now();
    let error = download.run(&mut log).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert!(start.elapsed() < Duration::from_secs(60));
    assert_eq!(names(folder.path()), ["a-images.gz.part"]);

    let (result, log) = run(&download);
    result.unwrap();
    assert_whole(folder.path(), &originals);
    assert_eq!(server.requests()[1], from("a-images.gz", Some(20_000)));
    assert_eq!(log.progress[0].0, 20_000);
}

#[test]
fn a_stop_before_the_start_asks_for_nothing() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let download = originals.download(folder.path(), &[&server.url]);
    let error = download.run(&mut Stop).unwrap_err();
    assert!(matches!(error, Error::Cancelled), "{error}");
    assert_eq!(server.requests(), []);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |number, _| match number {
        0 => Reply::Cut(20_000),
        _ => Reply::NoRange,
    });
    let folder = tempfile::tempdir().unwrap();
    let (result, log) = run(&originals.download(folder.path(), &[&server.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    assert_eq!(server.requests()[1], from("a-images.gz", Some(20_000)));
    assert_eq!(log.troubles.len(), 1);
}

#[test]
fn a_server_that_does_not_say_the_length() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::NoLength);
    let folder = tempfile::tempdir().unwrap();
    run(&originals.download(folder.path(), &[&server.url]))
        .0
        .unwrap();
    assert_whole(folder.path(), &originals);
}

#[test]
fn a_part_that_was_not_asked_for_is_discarded() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |number, _| match number {
        0 => Reply::Cut(20_000),
        1 => Reply::OtherPart,
        _ => Reply::Good,
    });
    let folder = tempfile::tempdir().unwrap();
    let (result, log) = run(&originals.download(folder.path(), &[&server.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    assert_eq!(server.requests()[2], from("a-images.gz", None));
    assert!(
        log.troubles[1].contains("another part"),
        "{:?}",
        log.troubles
    );
}

#[test]
fn a_part_that_the_mirror_does_not_have_is_discarded() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, request| match request.from {
        Some(_) => Reply::Status(416),
        None => Reply::Good,
    });
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a-images.gz.part"), [1; 100]).unwrap();
    run(&originals.download(folder.path(), &[&server.url]))
        .0
        .unwrap();
    assert_whole(folder.path(), &originals);
}

#[test]
fn a_mirror_without_the_file_is_left_for_the_next() {
    let originals = Originals::new();
    let first = Server::new(&[], |_, _| Reply::Good);
    let second = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let (result, log) = run(&originals.download(folder.path(), &[&first.url, &second.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    // It is not asked for the other files.
    assert_eq!(first.requests().len(), 1);
    assert_eq!(log.troubles.len(), 1);
    assert_eq!(
        log.troubles[0],
        format!(
            "a-images.gz: {} answers with HTTP status 404; asking the next mirror",
            first.url
        )
    );
}

#[test]
fn all_mirrors_are_named_when_none_has_the_file() {
    let originals = Originals::new();
    let first = Server::new(&[], |_, _| Reply::Good);
    let second = Server::new(&originals.files, |_, _| Reply::Status(403));
    let folder = tempfile::tempdir().unwrap();
    let (result, log) = run(&originals.download(folder.path(), &[&first.url, &second.url]));
    assert_eq!(
        result.unwrap_err().to_string(),
        format!(
            "a-images.gz: cannot be downloaded: {} answers with HTTP status 404, {} answers with \
             HTTP status 403; check the connection and try again, or name another mirror",
            first.url, second.url
        )
    );
    assert!(log.troubles[1].ends_with("; no mirror is left"));
    assert!(names(folder.path()).is_empty());

    let error = run(&originals.download(folder.path(), &[])).0.unwrap_err();
    assert!(error.to_string().contains("no mirror is named"), "{error}");
}

#[test]
fn an_overloaded_server_is_asked_again() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |number, _| match number {
        0 => Reply::Status(503),
        1 => Reply::Status(429),
        _ => Reply::Good,
    });
    let folder = tempfile::tempdir().unwrap();
    let (result, log) = run(&originals.download(folder.path(), &[&server.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    // The second pause is twice as long.
    assert!(
        log.troubles[0].ends_with("in 0.001 s"),
        "{:?}",
        log.troubles
    );
    assert!(
        log.troubles[1].ends_with("in 0.002 s"),
        "{:?}",
        log.troubles
    );
}

#[test]
fn attempts_without_anything_new_come_to_an_end() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |number, _| match number {
        0 => Reply::Cut(20_000),
        _ => Reply::Cut(0),
    });
    let folder = tempfile::tempdir().unwrap();
    let (result, _) = run(&originals.download(folder.path(), &[&server.url]));
    let failure = only_failure(result.unwrap_err());
    assert!(matches!(failure, Failure::Cut { .. }), "{failure}");
    assert_eq!(server.requests().len(), 3);
    let part = folder.path().join("a-images.gz.part");
    assert_eq!(fs::metadata(part).unwrap().len(), 20_000);
}

#[test]
fn a_wrong_checksum_discards_the_file_and_names_the_mirror() {
    let originals = Originals::new();
    let first = Server::new(&originals.files, |_, _| Reply::Wrong);
    let folder = tempfile::tempdir().unwrap();
    let (result, _) = run(&originals.download(folder.path(), &[&first.url]));
    let error = result.unwrap_err().to_string();
    let named = format!("{} gives SHA-256 ", first.url);
    assert!(error.contains(&named), "{error}");
    assert!(names(folder.path()).is_empty());
    assert_eq!(first.requests().len(), 1);

    let second = Server::new(&originals.files, |_, _| Reply::Good);
    let (result, log) = run(&originals.download(folder.path(), &[&first.url, &second.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    assert!(log.troubles[0].contains(&named), "{:?}", log.troubles);
    assert!(log.troubles[0].ends_with("; asking the next mirror"));
}

#[test]
fn what_an_earlier_download_left_is_not_the_mirrors_fault() {
    let originals = Originals::new();
    let bytes = originals.files[0].1.len();
    for length in [100, bytes, bytes + 1] {
        let server = Server::new(&originals.files, |_, _| Reply::Good);
        let folder = tempfile::tempdir().unwrap();
        let part = folder.path().join("a-images.gz.part");
        fs::write(&part, vec![1; length]).unwrap();
        let (result, log) = run(&originals.download(folder.path(), &[&server.url]));
        result.unwrap();
        assert_whole(folder.path(), &originals);
        if length <= bytes {
            let start = format!("a-images.gz: {} gives SHA-256 ", part.display());
            assert!(log.troubles[0].starts_with(&start), "{:?}", log.troubles);
            assert!(log.troubles[0].ends_with("; discarded, downloading all of it"));
        }
    }
}

#[test]
fn a_wrong_file_from_earlier_is_replaced() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b-images.gz"), "x").unwrap();
    let (result, log) = run(&originals.download(folder.path(), &[&server.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    assert_eq!(log.troubles.len(), 1);
}

#[test]
fn a_page_in_place_of_the_file_is_not_taken() {
    let originals = Originals::new();
    for reply in [Reply::Page, Reply::Endless] {
        let server = Server::new(&originals.files, move |_, _| reply);
        let folder = tempfile::tempdir().unwrap();
        let (result, _) = run(&originals.download(folder.path(), &[&server.url]));
        let failure = only_failure(result.unwrap_err());
        assert!(matches!(failure, Failure::Length { .. }), "{failure}");
        assert_eq!(server.requests().len(), 1);
        assert!(names(folder.path()).is_empty());
    }
}

#[test]
fn a_page_in_place_of_the_rest_does_not_cost_the_beginning() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |number, _| match number {
        0 => Reply::Cut(20_000),
        _ => Reply::Page,
    });
    let folder = tempfile::tempdir().unwrap();
    let (result, _) = run(&originals.download(folder.path(), &[&server.url]));
    let failure = only_failure(result.unwrap_err());
    assert!(
        matches!(failure, Failure::Length { found: 13, .. }),
        "{failure}"
    );
    let part = folder.path().join("a-images.gz.part");
    assert_eq!(fs::metadata(part).unwrap().len(), 20_000);
}

#[test]
fn a_silent_server_is_left_for_the_next() {
    let originals = Originals::new();
    let silent = Server::new(&originals.files, |_, _| Reply::Hang);
    let good = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let mut download = originals.download(folder.path(), &[&silent.url, &good.url]);
    download.patience = Duration::from_secs(1);
    let (result, log) = run(&download);
    result.unwrap();
    assert_whole(folder.path(), &originals);
    let text = format!(
        "a-images.gz: {} was silent for 1 s; asking the next mirror",
        silent.url
    );
    assert_eq!(log.troubles[0], text);
}

#[test]
fn a_server_that_falls_silent_is_asked_for_the_rest() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |number, _| match number {
        0 => Reply::Stall(20_000),
        _ => Reply::Good,
    });
    let folder = tempfile::tempdir().unwrap();
    let mut download = originals.download(folder.path(), &[&server.url]);
    download.patience = Duration::from_secs(1);
    run(&download).0.unwrap();
    assert_whole(folder.path(), &originals);
    assert_eq!(server.requests()[1], from("a-images.gz", Some(20_000)));
}

#[test]
fn a_mirror_that_nobody_runs_is_left_for_the_next() {
    let originals = Originals::new();
    let nobody = nobody();
    let good = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let (result, log) = run(&originals.download(folder.path(), &[&nobody, &good.url]));
    result.unwrap();
    assert_whole(folder.path(), &originals);
    assert!(
        log.troubles[0].contains(" cannot be reached ("),
        "{:?}",
        log.troubles
    );
}

#[test]
fn addresses_are_checked_first() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let (result, _) = run(&originals.download(folder.path(), &[&server.url, "ftp://a"]));
    let error = result.unwrap_err();
    assert!(
        matches!(&error, Error::MirrorAddress { url } if url == "ftp://a"),
        "{error}"
    );
    assert_eq!(server.requests(), []);
}

#[test]
fn two_downloads_do_not_write_the_same_file() {
    let originals = Originals::new();
    let server = Server::new(&originals.files, |_, _| Reply::Good);
    let folder = tempfile::tempdir().unwrap();
    let other = fs::File::create(folder.path().join("a-images.gz.part")).unwrap();
    other.try_lock().unwrap();
    let download = originals.download(folder.path(), &[&server.url]);
    let error = run(&download).0.unwrap_err();
    assert!(matches!(error, Error::Busy { .. }), "{error}");
    drop(other);
    run(&download).0.unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let originals = Originals::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = run(&originals.download(&file.join("folder"), &[]))
        .0
        .unwrap_err();
    assert!(matches!(error, Error::Write { .. }), "{error}");
}
