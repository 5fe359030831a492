//! A name server on the LAN that knows one name.

use std::{
    fs::File,
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::sched::{CloneFlags, setns};

use super::{LAN, Lab};

/// Ends with this.
pub struct Resolver {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Lab {
    /// Answers on UDP port 53 of [`LAN`] that `name` has the address `addr`, and that there is no
    /// other name.
    #[track_caller]
    pub fn resolver(&self, name: &str, addr: Ipv4Addr) -> Resolver {
        let net = File::open(format!("/proc/{}/ns/net", self.lan.pid())).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (ready, is_ready) = mpsc::channel();
        let (stopped, name) = (stop.clone(), in_labels(name));
        // A thread of its own, since its namespace is for good.
        let thread = thread::spawn(move || {
            setns(net, CloneFlags::CLONE_NEWNET).unwrap();
            let socket = UdpSocket::bind((LAN, 53)).unwrap();
            let pause = Duration::from_millis(50);
            socket.set_read_timeout(Some(pause)).unwrap();
            ready.send(()).unwrap();
            let mut buffer = [0; 512];
            while !stopped.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                if let Some(answer) = answer(&buffer[..length], &name, addr) {
                    // One that does not wait any more needs none.
                    let _gone = socket.send_to(&answer, from);
                }
            }
        });
        is_ready.recv().unwrap();
        let thread = Some(thread);
        Resolver { stop, thread }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// RFC 1035, 3.1: each label with its length before it, and a zero.
fn in_labels(name: &str) -> Vec<u8> {
    let label = |label: &str| [&[label.len() as u8], label.as_bytes()].concat();
    let labels = name.split('.').map(label).chain([vec![0]]);
    labels.collect::<Vec<_>>().concat()
}

/// RFC 1035, 4.1: the header, the question as it came, and an address where it is asked for.
fn answer(question: &[u8], name: &[u8], addr: Ipv4Addr) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let asked = question.get(HEADER..)?;
    let length = asked.iter().position(|byte| *byte == 0)? + 1;
    let (asked, rest) = asked.split_at(length);
    let kind = rest.get(..4)?;
    let is_known = asked == name;
    let has_answer = is_known && kind == [0, 1, 0, 1];
    let mut bytes = question[..2].to_vec();
    // An answer with recursion, and what became of it: 3 is "no such name".
    bytes.extend([0x81, if is_known { 0x80 } else { 0x83 }]);
    bytes.extend([0, 1, 0, has_answer.into(), 0, 0, 0, 0]);
    bytes.extend(asked);
    bytes.extend(kind);
    if has_answer {
        // The name of the question, type A, class IN, a minute, four bytes.
        bytes.extend([0xc0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        bytes.extend(addr.octets());
    }
    Some(bytes)
}
