package dev.graft.hub;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.FileLockInterruptionException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * A lock file with one holder at a time, across threads and processes. The operating system holds the lock, so it ends with its process in any
 * case, and a leftover file is never a stale lock. The holder's pid and start time inside are for the messages of waiting processes.
 */
final class LockFile implements AutoCloseable {
    /** File locks belong to the process; this keeps its threads apart. Semaphores, because another thread may release. */
    private static final ConcurrentHashMap<Path, Semaphore> THREADS = new ConcurrentHashMap<>();

    private final FileChannel channel;
    private final Semaphore thread;

    private LockFile(FileChannel channel, Semaphore thread) {
        this.channel = channel;
        this.thread = thread;
    }

    /** Waits for the lock and reports its holder once to {@code progress}. */
    static LockFile acquire(Path file, DownloadProgress progress) {
        Semaphore thread = THREADS.computeIfAbsent(file.toAbsolutePath().normalize(), f -> new Semaphore(1));
        try {
            thread.acquire();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new FetchException("Interrupted while waiting for " + file, e);
        }
        FileChannel channel = null;
        boolean held = false;
        try {
            Files.createDirectories(file.toAbsolutePath().getParent());
            channel = FileChannel.open(
                    file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            FileLock lock = channel.tryLock();
            if (lock == null) {
                progress.onProgress("wait for " + holder(channel) + ", which fetches the same", 0, -1);
                channel.lock();
            }
            String me = "pid " + ProcessHandle.current().pid() + " started "
                    + ProcessHandle.current().info().startInstant().orElse(Instant.EPOCH);
            channel.truncate(0);
            channel.write(ByteBuffer.wrap(me.getBytes(StandardCharsets.UTF_8)), 0);
            held = true;
            return new LockFile(channel, thread);
        } catch (FileLockInterruptionException e) {
            throw new FetchException("Interrupted while waiting for " + file, e);
        } catch (IOException e) {
            throw new UncheckedIOException("Cannot lock " + file + ": " + e, e);
        } finally {
            if (!held) {
                release(channel, thread);
            }
        }
    }

    private static String holder(FileChannel channel) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(200);
        channel.read(buffer, 0);
        String text = new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8);
        return text.isEmpty() ? "another process" : text;
    }

    @Override
    public void close() {
        release(channel, thread);
    }

    private static void release(@Nullable FileChannel channel, Semaphore thread) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            thread.release();
        }
    }
}
