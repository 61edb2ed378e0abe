package dev.graft.train.checkpoints;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A lock that keeps a second process out of a run's folder. It is a file lock of the operating system, so the lock of a killed process ends
 * with it and clocks don't matter. The file {@code .graft.lock} also names the holder by process id and start time, for the message and for
 * file systems without locks. The file stays: removing it would let two processes lock two different files of that name.
 *
 * <pre>{@code
 * try (RunLock lock = RunLock.acquire(output)) {
 *     ...
 * }
 * }</pre>
 */
public final class RunLock implements AutoCloseable {
    private static final Pattern HOLDER = Pattern.compile("pid ([0-9]{1,18}) started ([-0-9T:.Z]{1,40})");
    private static final int MOST_BYTES = 256;

    /** Folders held by this process: closing a second channel on a locked file would release the lock on POSIX systems. */
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path folder;
    private final FileChannel channel;
    private final @Nullable String recovered;

    private RunLock(Path folder, FileChannel channel, @Nullable String recovered) {
        this.folder = folder;
        this.channel = channel;
        this.recovered = recovered;
    }

    /**
     * Locks a folder, which is created if missing.
     *
     * @throws InputException if another run holds it
     */
    public static RunLock acquire(Path folder) {
        Path real = real(folder);
        if (!HELD.add(real)) {
            throw inUse(folder, "this process");
        }
        FileChannel channel = null;
        RunLock held = null;
        try {
            channel = FileChannel.open(
                    real.resolve(".graft.lock"),
                    StandardOpenOption.CREATE,
                    StandardOpenOption.READ,
                    StandardOpenOption.WRITE);
            FileLock lock = channel.tryLock();
            String holder = read(channel).strip();
            if (lock == null || isAlive(holder)) {
                throw inUse(folder, holder);
            }
            write(channel, holder());
            held = new RunLock(real, channel, holder.isEmpty() ? null : holder);
            return held;
        } catch (IOException e) {
            throw new FileAccessException("cannot lock " + folder, e);
        } finally {
            if (held == null) {
                HELD.remove(real);
                closeQuietly(channel);
            }
        }
    }

    private static Path real(Path folder) {
        try {
            return Files.createDirectories(folder).toRealPath();
        } catch (IOException e) {
            throw new FileAccessException("cannot make the folder " + folder, e);
        }
    }

    private static InputException inUse(Path folder, String holder) {
        return new InputException(folder + " is in use by another run (" + holder
                + "): wait for it to end, or choose another output_dir");
    }

    /** Returns the run that died without releasing this lock; null if none did. */
    public @Nullable String recovered() {
        return recovered;
    }

    private static String holder() {
        ProcessHandle self = ProcessHandle.current();
        return "pid " + self.pid() + " started "
                + self.info().startInstant().map(Instant::toString).orElse("-");
    }

    private static boolean isAlive(String holder) {
        Matcher matcher = HOLDER.matcher(holder);
        if (!matcher.matches() || holder.equals(holder())) {
            return false;
        }
        Optional<ProcessHandle> process = ProcessHandle.of(Long.parseLong(matcher.group(1)));
        return process.flatMap(found -> found.info().startInstant())
                .map(start -> start.toString().equals(matcher.group(2)))
                .orElse(false);
    }

    private static String read(FileChannel channel) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(MOST_BYTES);
        channel.read(bytes, 0);
        return new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
    }

    private static void write(FileChannel channel, String text) throws IOException {
        channel.truncate(0);
        channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)), 0);
        channel.force(true);
    }

    @Override
    public void close() {
        try {
            if (channel.isOpen()) {
                channel.truncate(0);
                channel.close();
                HELD.remove(folder);
            }
        } catch (IOException e) {
            throw new FileAccessException("cannot release the lock of the run", e);
        }
    }

    private static void closeQuietly(@Nullable FileChannel channel) {
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            // the error that led here matters more
        }
    }
}
