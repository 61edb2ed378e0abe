package dev.graft.train.data.internal;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Cuts a file into its records, without looking into them. */
interface RecordScanner {

    /**
     * @param offset of the first byte in the file
     * @param line of the first byte, from 1
     */
    @SuppressWarnings("ArrayRecordComponent") // handed on once, never shared
    record RawRecord(long offset, int line, byte[] bytes) {}

    /** The next record; null at the end. Blank lines between records are passed over. */
    @Nullable
    RawRecord next() throws IOException;
}
