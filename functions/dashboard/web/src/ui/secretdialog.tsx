import type { ComponentChildren } from "preact";
import { Button, CopyButton } from "./button";
import { Dialog } from "./dialog";

interface Props {
  /** A key, a secret. */
  what: string;
  secret: string;
  /** Why it must be kept now. */
  children: ComponentChildren;
  onClose: () => void;
}

/** Shows what is never shown again. */
export function SecretDialog({ what, secret, children, onClose }: Props) {
  return (
    <Dialog title={`Keep this ${what} now`} dismissible={false} onClose={onClose}>
      <p>{children}</p>
      <div class="secret">
        <code>{secret}</code>
        <CopyButton text={secret} label={`Copy the ${what}`} />
      </div>
      <div class="actions">
        <Button primary onClick={onClose}>
          I have kept it
        </Button>
      </div>
    </Dialog>
  );
}
