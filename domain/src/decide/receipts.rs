//! Delivered and Read: watermarks that never fall and never pass the head.

use verbatim_schemas::{
    Code, Seq, bounds,
    rest::Receipt,
    ruling::{Rejection, Standing},
};

use super::{Case, Effect};

impl Case<'_> {
    /// Raises the actor's watermarks; read raises delivered. Above 256 members Delivered alone is not
    /// recorded.
    pub(super) fn receipt(
        &self,
        delivered: Option<Seq>,
        read: Option<Seq>,
    ) -> Result<Effect, Rejection> {
        let (head, me) = self.as_member()?;
        if delivered.max(read).is_some_and(|seq| seq > head.seq) {
            return Err(Code::BeyondHead.into());
        }
        let recorded = head.member_count <= bounds::RECEIPTS_PUBLIC_MEMBERS;
        let delivered = if recorded { delivered } else { None };
        let read = me.read.max(read.unwrap_or_default());
        let delivered = me.delivered.max(delivered.unwrap_or_default()).max(read);
        let user_id = self.event.actor.clone();
        if (delivered, read) == (me.delivered, me.read) {
            let standing = Receipt { user_id, delivered, read, at: me.receipt_at };
            return Ok(Effect::nothing(Some(Standing::Receipt(standing))));
        }
        let receipt = Receipt { user_id, delivered, read, at: Some(self.at) };
        Ok(Effect { receipt: Some(receipt), ..Effect::default() })
    }
}
