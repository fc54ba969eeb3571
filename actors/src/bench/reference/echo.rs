//! Answers each frame: all that one read has brought, in one write.

use std::io;
use std::rc::Rc;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::super::frame::{self, Front};
use super::{Answer, READ, nonsense};

pub(super) async fn run(mut client: TcpStream, answer: Rc<Answer>) -> io::Result<()> {
    let (mut input, mut out) = (BytesMut::new(), Vec::new());
    loop {
        input.reserve(READ);
        if client.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
        loop {
            match frame::front(&input) {
                Front::Whole(size) => {
                    answer.put(&input[..size], &mut out);
                    input.advance(size);
                }
                Front::Part => break,
                Front::Nonsense => return Err(nonsense()),
            }
        }
        client.write_all(&out).await?;
        out.clear();
    }
}
