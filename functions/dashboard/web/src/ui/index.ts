/** What all pages are made of. */
export { Button, CopyButton } from "./button";
export { Dialog } from "./dialog";
export { Field } from "./field";
export { Icon, type IconName } from "./icon";
export { EmptyState, ErrorState, Loading } from "./states";
export { type Column, Table } from "./table";
export { RelativeTime } from "./time";
export { Toasts, toast, toastProblem } from "./toast";
