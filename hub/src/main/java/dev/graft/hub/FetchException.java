package dev.graft.hub;

import org.jspecify.annotations.Nullable;

/**
 * Something that exists could not be fetched: no network, no client, a broken download, a wrong checksum. The message names the source and what
 * to do. A source that does not exist or is malformed raises an {@link dev.graft.formats.InputException} instead.
 */
public final class FetchException extends RuntimeException {
    public FetchException(String message) {
        this(message, null);
    }

    public FetchException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
