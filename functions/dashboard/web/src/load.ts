/** Values that a page asks the API for. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { asProblem, type Problem } from "./api";

export interface Loaded<Value> {
  /** The last answer; it stays while it is asked for again. */
  value: Value | undefined;
  /** Why the last request gave none. */
  problem: Problem | undefined;
  /** When the last answer came, in milliseconds since 1970. */
  at: number;
  reload: () => Promise<void>;
}

/** Loads when the component appears and when `inputs` change; answers to earlier inputs are dropped. */
export function useLoaded<Value>(
  load: (signal: AbortSignal) => Promise<Value>,
  inputs: readonly unknown[],
): Loaded<Value> {
  const [state, setState] = useState<Omit<Loaded<Value>, "reload">>({ value: undefined, problem: undefined, at: 0 });
  const running = useRef<AbortController | null>(null);
  const reload = useCallback(async () => {
    running.current?.abort();
    const controller = new AbortController();
    running.current = controller;
    try {
      const value = await load(controller.signal);
      if (!controller.signal.aborted) {
        setState({ value, problem: undefined, at: Date.now() });
      }
    } catch (error) {
      if (!controller.signal.aborted) {
        setState((before) => ({ ...before, problem: asProblem(error) }));
      }
    }
  }, inputs);
  useEffect(() => {
    setState({ value: undefined, problem: undefined, at: 0 });
    void reload();
    return () => running.current?.abort();
  }, [reload]);
  return { ...state, reload };
}

/** Calls `refresh` every `seconds` while the page is seen and `isOn`; and at once when it is seen again. */
export function useRefresh(refresh: () => Promise<void>, seconds: number, isOn: boolean): void {
  const current = useRef(refresh);
  current.current = refresh;
  useEffect(() => {
    if (!isOn) {
      return;
    }
    let timer: number | undefined;
    let isOver = false;
    const wait = () => {
      clearTimeout(timer);
      if (!isOver && !document.hidden) {
        timer = window.setTimeout(run, seconds * 1_000);
      }
    };
    const run = () => void current.current().then(wait);
    const onVisibility = () => (document.hidden ? clearTimeout(timer) : run());
    wait();
    document.addEventListener("visibilitychange", onVisibility);
    return () => {
      isOver = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisibility);
    };
  }, [seconds, isOn]);
}
