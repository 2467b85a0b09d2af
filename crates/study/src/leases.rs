//! Who is at work on what, in a folder that several processes and machines share.
//!
//! A lease is a file `RUN.GENERATION` that its owner holds a lock on and writes to every now and then.
//! Whoever finds that the owner of the latest generation is dead makes the next one; that two cannot
//! make the same file keeps them from both taking over. On the owner's machine the lock tells whether
//! it is alive, at once; elsewhere only the age of the file does, by the clock of the shared folder, so
//! that the clocks of the machines need not agree.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use files::{
    Context, FileError, PARTIAL, create_folder, hidden_path, is_hidden_name_of, is_partial,
};

/// How often a lease is renewed before it counts as abandoned.
const BEATS: u32 = 4;
/// Name of the file that tells the time.
const CLOCK: &str = "clock";

/// Leases on runs, as files in one folder.
#[derive(Clone, Debug)]
pub struct Leases {
    folder: PathBuf,
    stale: Duration,
    /// Names this machine since it was started; none where the system does not tell.
    machine: Option<String>,
}

/// A lease on a run. Renewed until it is dropped, and given back then.
#[derive(Debug)]
pub struct Lease {
    folder: PathBuf,
    run: String,
    generation: u64,
    stop: Option<Sender<()>>,
    heart: Option<JoinHandle<()>>,
}

impl Leases {
    /// Leases in `folder`, which is made if it is not there. One that has not been renewed for `stale`
    /// counts as abandoned; on shared folders of a network a minute or more, as they show changes late.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made.
    pub fn new(folder: &Path, stale: Duration) -> Result<Self, FileError> {
        create_folder(folder)?;
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id");
        Ok(Self {
            folder: folder.to_owned(),
            stale,
            machine: boot.ok().map(|boot| boot.trim().to_owned()),
        })
    }

    /// The lease on a run, unless somebody who is alive has it. `run` must be good for a file name, and
    /// have no dot.
    ///
    /// # Errors
    ///
    /// If the folder cannot be used.
    pub fn acquire(&self, run: &str) -> Result<Option<Lease>, FileError> {
        let before = generations(&self.folder, run)?;
        if self.any_alive(run, &before)? {
            return Ok(None);
        }
        let generation = before.iter().max().map_or(0, |latest| latest + 1);
        let path = path(&self.folder, run, generation);
        let Some(file) = self.make(&path)? else {
            return Ok(None);
        };
        let lease = Lease::beating(self, run, generation, file).context("renew", &path)?;
        // Somebody who looked at another moment may have made another generation.
        let mut others = generations(&self.folder, run)?;
        others.retain(|&other| other != generation);
        if self.any_alive(run, &others)? {
            return Ok(None);
        }
        for dead in others {
            remove(&self::path(&self.folder, run, dead))?;
        }
        Ok(Some(lease))
    }

    /// The leases that dead processes have left on runs that `is_done` says are done: nobody else will
    /// ask for those, and it can be put in order what was left undone. What the dead had only begun to
    /// acquire is removed.
    ///
    /// # Errors
    ///
    /// If the folder cannot be used.
    pub fn abandoned(
        &self,
        is_done: impl Fn(&str) -> bool,
    ) -> Result<Vec<(String, Lease)>, FileError> {
        let mut runs = BTreeSet::new();
        for name in names(&self.folder)? {
            let path = self.folder.join(&name);
            if is_partial(&name) {
                let is_lease = !is_hidden_name_of(&name, Path::new(CLOCK), PARTIAL);
                if is_lease && is_empty_and_free(&path) || !self.is_alive(&path)? {
                    remove(&path)?;
                }
            } else if let Some((run, _)) = parse(&name)
                && is_done(run)
            {
                runs.insert(run.to_owned());
            }
        }
        let mut abandoned = Vec::new();
        for run in runs {
            if let Some(lease) = self.acquire(&run)? {
                abandoned.push((run, lease));
            }
        }
        Ok(abandoned)
    }

    /// Makes and locks the file of a lease; `None` if it is there.
    fn make(&self, path: &Path) -> Result<Option<File>, FileError> {
        // Locked before anybody can see it, so that nobody takes it for abandoned.
        let partial = hidden_path(path, PARTIAL);
        let made = self.write(&partial, OpenOptions::new().create_new(true))?;
        let linked = fs::hard_link(&partial, path);
        remove(&partial)?;
        match linked {
            Ok(()) => Ok(Some(made)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
            // A file system without links, or tidied up by somebody: until it has content, its age
            // counts.
            Err(_) => match self.write(path, OpenOptions::new().create_new(true)) {
                Ok(made) => Ok(Some(made)),
                Err(error) if error.source.kind() == ErrorKind::AlreadyExists => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    fn write(&self, path: &Path, options: &mut OpenOptions) -> Result<File, FileError> {
        let mut file = options
            .read(true)
            .write(true)
            .open(path)
            .context("write", path)?;
        // Where there are no locks, the age of the file decides.
        file.try_lock().ok();
        let machine = self.machine.as_deref().unwrap_or_default();
        let process = std::process::id();
        writeln!(file, "{machine}\n{process}").context("write", path)?;
        Ok(file)
    }

    fn any_alive(&self, run: &str, generations: &[u64]) -> Result<bool, FileError> {
        for &generation in generations {
            if self.is_alive(&path(&self.folder, run, generation))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_alive(&self, path: &Path) -> Result<bool, FileError> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error).context("read", path),
        };
        let mut content = String::new();
        file.read_to_string(&mut content).context("read", path)?;
        let owner = content.lines().next().filter(|machine| !machine.is_empty());
        if owner.is_some() && owner == self.machine.as_deref() {
            match file.try_lock_shared() {
                Ok(()) => return Ok(false),
                Err(TryLockError::WouldBlock) => return Ok(true),
                Err(TryLockError::Error(_)) => {}
            }
        }
        let renewed = file.metadata().and_then(|data| data.modified());
        let age = self.now()?.duration_since(renewed.context("read", path)?);
        // A file from the future was renewed just now.
        Ok(age.unwrap_or_default() <= self.stale)
    }

    /// What time it is by the clock that stamps the files of the folder.
    fn now(&self) -> Result<SystemTime, FileError> {
        let path = hidden_path(&self.folder.join(CLOCK), PARTIAL);
        let stamped = File::create(&path).and_then(|mut file| {
            file.write_all(b"now")?;
            file.metadata()?.modified()
        });
        remove(&path)?;
        stamped.context("write", &path)
    }
}

impl Lease {
    fn beating(leases: &Leases, run: &str, generation: u64, mut file: File) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel::<()>();
        let pause = leases.stale / BEATS;
        let heart = thread::Builder::new().spawn(move || {
            let mut even = true;
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                // Written rather than set, so that the clock of the folder stamps it. If it cannot be,
                // the lease ages, and somebody else may take over.
                even = !even;
                file.seek(SeekFrom::End(-1))
                    .and_then(|_| file.write_all(if even { b"\n" } else { b" " }))
                    .ok();
            }
        })?;
        Ok(Self {
            folder: leases.folder.clone(),
            run: run.to_owned(),
            generation,
            stop: Some(stop),
            heart: Some(heart),
        })
    }

    /// Whether nobody has taken over, as somebody can after a pause in which the lease was not renewed,
    /// of a suspended machine for example.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub fn is_held(&self) -> Result<bool, FileError> {
        let generations = generations(&self.folder, &self.run)?;
        Ok(generations.iter().max() == Some(&self.generation))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(heart) = self.heart.take() {
            heart.join().ok();
        }
        // What cannot be removed is not renewed any more, and will count as abandoned.
        remove(&path(&self.folder, &self.run, self.generation)).ok();
    }
}

fn path(folder: &Path, run: &str, generation: u64) -> PathBuf {
    folder.join(format!("{run}.{generation}"))
}

/// All generations of leases on a run that there are.
fn generations(folder: &Path, run: &str) -> Result<Vec<u64>, FileError> {
    let mut generations = Vec::new();
    for name in names(folder)? {
        let of_run = parse(&name).filter(|(leased, _)| *leased == run);
        generations.extend(of_run.map(|(_, generation)| generation));
    }
    Ok(generations)
}

/// Whether a file has no content and no lock: whoever made it died before either, or is about to have
/// them, and can do without this file.
fn is_empty_and_free(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| {
        file.metadata().is_ok_and(|data| data.len() == 0) && file.try_lock_shared().is_ok()
    })
}

/// The run and the generation that the name of a file tells; `None` if it is no lease.
fn parse(name: &str) -> Option<(&str, u64)> {
    let (run, generation) = name.split_once('.')?;
    Some((run, generation.parse().ok()?))
}

/// Names of the files in a folder.
fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).context("read the folder", folder)? {
        let name = entry.context("read the folder", folder)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    Ok(names)
}

/// Removes a file that need not be there.
fn remove(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).context("remove", path),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = "0123456789abcdef";
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn one_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path(), MINUTE).unwrap();
        let first = leases.acquire(RUN).unwrap().unwrap();
        assert!(first.is_held().unwrap());
        assert!(leases.acquire(RUN).unwrap().is_none());
        assert!(leases.acquire("another").unwrap().is_some());
        drop(first);
        assert!(leases.acquire(RUN).unwrap().is_some());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn of_many_threads_one_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path(), MINUTE).unwrap();
        // What a dead process has left, to be taken over by one of them.
        abandoned(&leases, "another machine", 2 * MINUTE);
        for _ in 0..20 {
            let held: Vec<_> = thread::scope(|scope| {
                let threads: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| leases.acquire(RUN).unwrap()))
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap())
                    .collect()
            });
            assert_eq!(held.iter().flatten().count(), 1);
        }
        assert!(leases.acquire(RUN).unwrap().is_some());
    }

    #[test]
    fn an_abandoned_lease_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path(), MINUTE).unwrap();
        abandoned(&leases, "another machine", MINUTE / 2);
        assert!(leases.acquire(RUN).unwrap().is_none());
        abandoned(&leases, "another machine", 2 * MINUTE);
        let lease = leases.acquire(RUN).unwrap().unwrap();
        assert_eq!(lease.generation, 8);
        drop(lease);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_lease_is_renewed() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path(), Duration::from_millis(400)).unwrap();
        let lease = leases.acquire(RUN).unwrap().unwrap();
        // As another machine sees it.
        let elsewhere = Leases {
            machine: None,
            ..leases.clone()
        };
        thread::sleep(Duration::from_millis(900));
        assert!(elsewhere.acquire(RUN).unwrap().is_none());
        assert!(lease.is_held().unwrap());
    }

    #[test]
    fn who_was_taken_over_notices() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path(), MINUTE).unwrap();
        let lease = leases.acquire(RUN).unwrap().unwrap();
        fs::write(path(folder.path(), RUN, 1), "").unwrap();
        assert!(!lease.is_held().unwrap());
    }

    #[test]
    fn what_the_dead_have_left_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let leases = Leases::new(folder.path(), MINUTE).unwrap();
        let alive = leases.acquire("another").unwrap().unwrap();
        abandoned(&leases, "another machine", 2 * MINUTE);
        let half_made = folder.path().join(".another.1.4711-0.partial");
        left(&half_made, "another machine", 2 * MINUTE);
        let empty = folder.path().join(".another.1.4713-0.partial");
        fs::write(&empty, "").unwrap();
        let being_made = folder.path().join(".another.1.4712-0.partial");
        left(&being_made, "another machine", MINUTE / 2);
        assert!(leases.abandoned(|_| false).unwrap().is_empty());
        let found = leases.abandoned(|run| run == RUN).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, RUN);
        assert!(found[0].1.is_held().unwrap());
        drop(found);
        assert!(alive.is_held().unwrap());
        drop(alive);
        assert!(!half_made.exists() && !empty.exists());
        fs::remove_file(being_made).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    /// Generation 7, last renewed so long ago.
    fn abandoned(leases: &Leases, machine: &str, age: Duration) {
        left(&path(&leases.folder, RUN, 7), machine, age);
    }

    /// A file of a lease, last renewed so long ago.
    fn left(path: &Path, machine: &str, age: Duration) {
        fs::write(path, format!("{machine}\n1\n")).unwrap();
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }
}
