//! How much memory this process can still get: the machine has so much, and limits on the process (`ulimit`) or its control group
//! (containers, batch systems) may leave less.

use std::fmt;
use std::path::{Path, PathBuf};

/// What bounds the memory of this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// There is no more in the machine, its swap included.
    Machine,
    /// RLIMIT_AS, `ulimit -v`: on what is mapped, used or not.
    AddressSpace,
    /// RLIMIT_DATA, `ulimit -d`.
    Data,
    /// A control group's, or one's that it is in.
    ControlGroup,
}

/// The memory that new work can have at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attainable {
    /// In bytes.
    pub bytes: u64,
    /// What it is that there is not more.
    pub limit: Limit,
}

impl Attainable {
    /// The tightest of all limits, if the system tells any.
    pub fn now() -> Option<Self> {
        let root = Path::new("/");
        let limits = [
            (Limit::Machine, total_memory()),
            (Limit::AddressSpace, left_of(resource::address_space(), "VmSize")),
            (Limit::Data, left_of(resource::data(), "VmData")),
            (Limit::ControlGroup, left_by_control_groups(root)),
        ];
        let told = limits.into_iter().filter_map(|(limit, bytes)| Some(Attainable { bytes: bytes?, limit }));
        told.min_by_key(|attainable| attainable.bytes)
    }

    /// Whether what threads reserve without using it counts too.
    pub fn counts_reserved(&self) -> bool {
        matches!(self.limit, Limit::AddressSpace | Limit::Data)
    }
}

impl fmt::Display for Attainable {
    /// "the limit on its address space (ulimit -v) leaves this process 1.5 GB"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gigabytes = self.bytes as f64 / 1e9;
        match self.limit {
            Limit::Machine => write!(f, "this machine has {gigabytes:.1} GB"),
            Limit::AddressSpace => {
                write!(f, "the limit on its address space (ulimit -v) leaves this process {gigabytes:.1} GB")
            }
            Limit::Data => write!(f, "the limit on its data (ulimit -d) leaves this process {gigabytes:.1} GB"),
            Limit::ControlGroup => write!(f, "the limit of its control group leaves this process {gigabytes:.1} GB"),
        }
    }
}

/// The memory that new work can have without pushing other work out, in bytes, if the system tells.
pub fn free_memory() -> Option<u64> {
    let free = kilobytes(Path::new("/proc/meminfo"), "MemAvailable")?;
    Some(Attainable::now().map_or(free, |attainable| free.min(attainable.bytes)))
}

/// The machine's memory with its swap.
fn total_memory() -> Option<u64> {
    let table = Path::new("/proc/meminfo");
    Some(kilobytes(table, "MemTotal")? + kilobytes(table, "SwapTotal").unwrap_or(0))
}

/// What a limit leaves beyond what the process has, by an entry of Linux's table about it.
fn left_of(limit: Option<u64>, entry: &str) -> Option<u64> {
    Some(limit?.saturating_sub(kilobytes(Path::new("/proc/self/status"), entry)?))
}

/// An entry of one of Linux's tables: `MemTotal:   24105 kB`.
fn kilobytes(table: &Path, name: &str) -> Option<u64> {
    let table = std::fs::read_to_string(table).ok()?;
    let rest = table.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(1024 * rest.split_whitespace().next()?.parse::<u64>().ok()?)
}

/// What the control groups that this process is in leave, of both versions and with those around them. `root` is the system's.
fn left_by_control_groups(root: &Path) -> Option<u64> {
    let table = std::fs::read_to_string(root.join("proc/self/cgroup")).ok()?;
    let swap = kilobytes(&root.join("proc/meminfo"), "SwapTotal").unwrap_or(0);
    let mounted = root.join("sys/fs/cgroup");
    let mut left: Option<u64> = None;
    // A line is `4:memory:/path`; of version 2, `0::/path`.
    for line in table.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (second, mount) = match controllers {
            "" if mounted.join("unified").is_dir() => (true, mounted.join("unified")),
            "" => (true, mounted.clone()),
            _ if controllers.split(',').any(|one| one == "memory") => (false, mounted.join("memory")),
            _ => continue,
        };
        // In a container the path may be the host's, which is not there: what is mounted is then the container's own group.
        let mut folder = path.trim_start_matches('/').to_string();
        loop {
            let group = Group { folder: mount.join(&folder), second };
            left = [left, group.left(swap)].into_iter().flatten().min();
            match (folder.rfind('/'), folder.is_empty()) {
                (_, true) => break,
                (Some(end), _) => folder.truncate(end),
                (None, _) => folder.clear(),
            }
        }
    }
    left
}

/// A control group's files.
struct Group {
    folder: PathBuf,
    /// Version 2.
    second: bool,
}

impl Group {
    /// What it leaves: its limit and the swap that it may use, less what it holds and could not give back.
    fn left(&self, swap: u64) -> Option<u64> {
        let (limit, used) = match self.second {
            true => ("memory.max", "memory.current"),
            false => ("memory.limit_in_bytes", "memory.usage_in_bytes"),
        };
        let limit = self.number(limit)?;
        let swap = match self.second {
            // "max" is no number: all of it.
            true => self.number("memory.swap.max").map_or(swap, |most| most.min(swap)),
            false => self.number("memory.memsw.limit_in_bytes").map_or(0, |both| both.saturating_sub(limit).min(swap)),
        };
        let statistics = std::fs::read_to_string(self.folder.join("memory.stat")).unwrap_or_default();
        let pages_of_files = statistics.lines().filter_map(|line| {
            let (name, bytes) = line.split_once(' ')?;
            // In version 1 those of the groups within it are told apart.
            let name = if self.second { name } else { name.strip_prefix("total_")? };
            ["active_file", "inactive_file"].contains(&name).then(|| bytes.parse::<u64>().ok())?
        });
        let used = self.number(used).unwrap_or(0).saturating_sub(pages_of_files.sum());
        Some((limit + swap).saturating_sub(used))
    }

    /// A file that holds one number; none where there is no limit, which version 1 writes as a number beyond all memory.
    fn number(&self, file: &str) -> Option<u64> {
        const NO_LIMIT: u64 = 1 << 60;
        let number = std::fs::read_to_string(self.folder.join(file)).ok()?.trim().parse::<u64>().ok()?;
        (number < NO_LIMIT).then_some(number)
    }
}

/// Limits on this process.
#[cfg(unix)]
mod resource {
    pub fn address_space() -> Option<u64> {
        limit(libc::RLIMIT_AS as libc::c_int)
    }

    pub fn data() -> Option<u64> {
        limit(libc::RLIMIT_DATA as libc::c_int)
    }

    /// What a new thread of libtorch's reserves for its stack.
    pub fn stack() -> u64 {
        const USUAL: u64 = 8 << 20;
        limit(libc::RLIMIT_STACK as libc::c_int).unwrap_or(USUAL)
    }

    fn limit(resource: libc::c_int) -> Option<u64> {
        let mut found = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // Sound: the call fills the struct, or says by its result that it did not.
        let told = unsafe { libc::getrlimit(resource as _, &mut found) } == 0;
        (told && found.rlim_cur != libc::RLIM_INFINITY).then_some(found.rlim_cur)
    }
}

#[cfg(not(unix))]
mod resource {
    pub fn address_space() -> Option<u64> {
        None
    }

    pub fn data() -> Option<u64> {
        None
    }

    pub fn stack() -> u64 {
        0
    }
}

/// What `threads` new threads reserve: their stacks, and what the C library's allocator sets apart for each.
pub fn reserved_by(threads: usize) -> u64 {
    const ARENA: u64 = 64 << 20;
    (resource::stack() + ARENA) * threads as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    fn left(files: &[(&str, &str)]) -> Option<u64> {
        left_by_control_groups(tree(files).path())
    }

    #[test]
    fn the_tightest_group_of_version_2_counts_less_what_it_holds() {
        let files = [
            ("proc/self/cgroup", "0::/slice/job\n"),
            ("proc/meminfo", "MemTotal: 8000 kB\nSwapTotal: 1000 kB\n"),
            ("sys/fs/cgroup/slice/job/memory.max", "max\n"),
            ("sys/fs/cgroup/slice/memory.max", "1000000\n"),
            ("sys/fs/cgroup/slice/memory.current", "400000\n"),
            ("sys/fs/cgroup/slice/memory.swap.max", "50000\n"),
            ("sys/fs/cgroup/slice/memory.stat", "anon 250000\nactive_file 100000\ninactive_file 50000\n"),
        ];
        // 1000000 and 50000 of swap, less 250000 that are no pages of files.
        assert_eq!(left(&files), Some(800_000));
        assert_eq!(left(&files[..3]), None);
    }

    #[test]
    fn groups_of_version_1_count_too_and_a_path_of_the_host_is_the_mounted_group() {
        let files = [
            ("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/docker/0123\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "500000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "300000\n"),
            ("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 100000\n"),
        ];
        assert_eq!(left(&files), Some(300_000));
        let unlimited = [files[0], ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n")];
        assert_eq!(left(&unlimited), None);
        assert_eq!(left(&[]), None);
    }

    #[test]
    fn what_is_told_says_why() {
        let attainable = Attainable { bytes: 1_500_000_000, limit: Limit::AddressSpace };
        assert!(attainable.to_string().contains("ulimit -v") && attainable.to_string().contains("1.5 GB"));
        if cfg!(target_os = "linux") {
            let now = Attainable::now().unwrap();
            assert!(now.bytes > 1 << 20 && now.bytes <= total_memory().unwrap());
        }
    }
}
