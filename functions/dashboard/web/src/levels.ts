/** Levels of logs, the least severe first. */
export const LEVELS = ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] as const;

export type Level = (typeof LEVELS)[number];

/** The class that gives what is within the colours of a level. */
export const levelClass = (level: string) => `level-${level.toLowerCase()}`;
