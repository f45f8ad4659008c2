//! The program that started this server, as far as a pipe tells of it.
//!
//! Whoever starts a server for a while gives it a pipe as standard input and keeps the other end
//! open without writing. The system closes that end however the program ends, by SIGKILL too.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;

use tokio::sync::oneshot;

/// Returns when standard input, where it is a pipe, was read to its end; otherwise never.
///
/// # Errors
///
/// The system starts no thread, or does not say what standard input is.
pub(crate) fn watch() -> io::Result<impl Future<Output = ()>> {
    let input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let is_pipe = input.metadata()?.file_type().is_fifo();
    let (end, ended) = oneshot::channel();
    if is_pipe {
        std::thread::Builder::new().name("owner".to_owned()).spawn(move || {
            read_to_the_end(input);
            // The server has ended otherwise meanwhile where nobody hears it.
            let _unheard = end.send(());
        })?;
    }
    Ok(async move {
        if ended.await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

fn read_to_the_end(mut input: File) {
    let mut ignored = [0; 512];
    loop {
        match input.read(&mut ignored) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
        }
    }
}
