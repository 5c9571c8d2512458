/** What all pages are made of. */
export { Button, CopyButton } from "./button";
export { Confirm } from "./confirm";
export { Dialog } from "./dialog";
export { Field } from "./field";
export { Icon, type IconName } from "./icon";
export { Meter } from "./meter";
export { EmptyState, ErrorState, Loading } from "./states";
export { type Column, Table } from "./table";
export { RelativeTime } from "./time";
export { Toasts, toast, toastProblem } from "./toast";
