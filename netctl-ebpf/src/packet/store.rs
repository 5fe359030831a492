//! Headers back into the packet.

use netctl_common::{drop_reason::DropReason, packet::ETH_LEN, wire::Mac};

use super::{
    Packet,
    header::{Header, Headers, LEAD},
};
use crate::{family::Family, helpers};

impl<A: Family> Packet<A> {
    /// Writes the Ethernet and IP header back, as [`Self::headers`] has them now.
    #[inline(always)]
    pub(crate) fn store_headers(&self) -> Result<(), DropReason> {
        if let Some(packet) = helpers::in_place(self.skb, Self::TRANSPORT - LEAD) {
            self.write_headers(packet);
            return Ok(());
        }
        helpers::store_part(self.skb, 0, &self.headers, LEAD..Self::TRANSPORT)
    }

    /// Writes other headers over the packet's own, without the transport header.
    #[inline(always)]
    pub(crate) fn store_other(&self, headers: &Headers<A::Header>) -> Result<(), DropReason> {
        helpers::store_part(self.skb, 0, headers, LEAD..Self::TRANSPORT)
    }

    /// The same with the transport header up to a word, and the ports as [`Self::sport`] and
    /// [`Self::dport`] are now.
    #[inline(always)]
    pub(crate) fn store_with_transport(&mut self, word: usize) -> Result<(), DropReason> {
        let (transport, end) = (Self::TRANSPORT, Headers::<A::Header>::end_of(word));
        if !self.has_options()
            && let Some(packet) = helpers::in_place(self.skb, end - LEAD)
        {
            self.write_headers(packet);
            // SAFETY: as far as `in_place` has looked.
            unsafe {
                let ports = packet.add(transport - LEAD).cast::<u16>();
                ports.write(self.sport.0);
                ports.add(1).write(self.dport.0);
                ports.add(word).write(self.headers.transport[word]);
            }
            return Ok(());
        }
        let words = &mut self.headers.transport;
        (words[0], words[1]) = (self.sport.0, self.dport.0);
        if self.has_options() {
            helpers::store_part(self.skb, self.l4, &self.headers, transport..end)?;
            return self.store_headers();
        }
        helpers::store_part(self.skb, 0, &self.headers, LEAD..end)
    }

    /// What a rewrite changes of the Ethernet and IP header, field by field.
    #[inline(always)]
    fn write_headers(&self, packet: *mut u8) {
        let headers = &self.headers;
        // SAFETY: the caller has found the Ethernet and IP header at `packet`.
        unsafe {
            let macs = packet.cast::<Mac>();
            macs.write(headers.dmac);
            macs.add(1).write(headers.smac);
            let ip = packet.add(ETH_LEN as usize);
            headers.ip.write_rest(ip);
            write_words(ip.add(A::Header::SRC), self.src().words(), A::BITS);
            write_words(ip.add(A::Header::DST), self.dst().words(), A::BITS);
        }
    }
}

/// Writes an address of that many bits.
///
/// # Safety
/// So much may be written at `at`.
#[inline(always)]
unsafe fn write_words(at: *mut u8, words: [u32; 4], bits: u32) {
    let at = at.cast::<u32>();
    // SAFETY: as the caller promises.
    unsafe {
        at.write(words[0]);
        if bits == 128 {
            at.add(1).write(words[1]);
            at.add(2).write(words[2]);
            at.add(3).write(words[3]);
        }
    }
}
