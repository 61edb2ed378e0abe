package dev.graft.peft;

import dev.graft.formats.TensorSource;
import dev.graft.tensor.ops.StagingBuffer;
import java.util.List;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A thread that reads the tensors of a file in order, while the main thread declares their use and reads those that it needs first. Nearly half
 * of an adapter's loading time is spent on fresh memory, which two threads halve.
 */
final class ReadAhead implements AutoCloseable {
    /** The limit in bytes, as a file may contain tensors that nobody uses. */
    private static final long MOST = 256L << 20;

    private final List<FileTensor> tensors;
    private final Thread thread = new Thread(this::run, Thread.currentThread().getName() + "-ahead");
    private volatile boolean closed;

    /** @param expected the expected type of the first requests */
    ReadAhead(List<TensorSource> files, ScalarType expected) {
        FileTensor.RequestedType requestedType = new FileTensor.RequestedType(expected);
        tensors = files.stream()
                .flatMap(file -> file.names().stream().map(name -> new FileTensor(file, name, requestedType)))
                .toList();
        thread.start();
    }

    /** All tensors, in the order of the files. */
    List<FileTensor> tensors() {
        return tensors;
    }

    private void run() {
        long bytes = 0;
        try (StagingBuffer staging = new StagingBuffer()) {
            for (FileTensor tensor : tensors) {
                bytes += tensor.info().bytes();
                if (closed || bytes > MOST) {
                    return;
                }
                tensor.readAhead(staging);
            }
        } catch (RuntimeException met) {
            // Whoever asks for the tensor meets it too.
        }
    }

    /** Ends the thread and frees the tensors that nobody requested. */
    @Override
    public void close() {
        closed = true;
        boolean interrupted = false;
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException later) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        tensors.forEach(FileTensor::close);
    }
}
