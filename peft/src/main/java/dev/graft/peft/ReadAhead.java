package dev.graft.peft;

import dev.graft.formats.TensorSource;
import dev.graft.tensor.Staging;
import java.util.List;
import org.bytedeco.pytorch.global.torch.ScalarType;

/**
 * A thread that reads the tensors of a file in their order, while another declares what they are for and reads those that it comes to first. Nearly
 * half of the time that an adapter takes to load is that of memory which nobody had yet, and two threads get it in half the time.
 */
final class ReadAhead implements AutoCloseable {
    /** Bytes: a file may hold what nobody asks for. */
    private static final long MOST = 256L << 20;

    private final List<FileTensor> tensors;
    private final Thread thread = new Thread(this::run, Thread.currentThread().getName() + "-ahead");
    private volatile boolean closed;

    /** @param expected the type in which the first ones will be asked for, so far as is known */
    ReadAhead(List<TensorSource> files, ScalarType expected) {
        FileTensor.Asked asked = new FileTensor.Asked(expected);
        tensors = files.stream()
                .flatMap(file -> file.names().stream().map(name -> new FileTensor(file, name, asked)))
                .toList();
        thread.start();
    }

    /** All of them, in the order of the files. */
    List<FileTensor> tensors() {
        return tensors;
    }

    private void run() {
        long bytes = 0;
        try (Staging staging = new Staging()) {
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

    /** Ends the thread and gives back what nobody asked for. */
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
