package dev.graft.train;

import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.FrozenPrefix;
import dev.graft.models.sites.Linear;
import dev.graft.models.sites.Role;
import dev.graft.models.sites.Site;
import dev.graft.peft.Adapter;
import dev.graft.tensor.NoGrad;
import dev.graft.tensor.Scope;
import dev.graft.tensor.Tensors;
import dev.graft.train.data.Batch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * The hidden states of every row below the first layer that learns, so that each row goes through the layers below once in a run. They are
 * kept in memory up to a bound, then in a file that goes with the process.
 */
final class PrefixCache implements AutoCloseable {
    private final int layers;
    private final long most;
    private final Path file;
    private final Map<Integer, Stored> rows = new ConcurrentHashMap<>();
    private long held;
    private long written;
    private @Nullable FileChannel channel;

    /** A row's states, {@code [length, hidden]}: in memory, or where in the file. */
    private record Stored(@Nullable Tensor states, long place, ScalarType type, long... shape)
            implements AutoCloseable {
        @Override
        public void close() {
            if (states != null) {
                states.close();
            }
        }
    }

    /**
     * For an adapter.
     *
     * @param most bytes in memory
     * @param folder for the file
     * @throws InputException if something below the second layer learns
     */
    PrefixCache(Adapter adapter, long most, Path folder) {
        this.layers = firstLearning(adapter);
        this.most = most;
        this.file = folder.resolve(".hidden-states-" + ProcessHandle.current().pid() + "-" + System.nanoTime());
        if (layers == 0) {
            throw new InputException(
                    "cache_frozen_layers keeps what the layers below the first one that learns give, but this"
                            + " adapter acts on the first layer or before it; leave it out, or choose layers_to_transform");
        }
        Base base = adapter.base();
        if (base.isEncoderDecoder()) {
            throw new InputException("cache_frozen_layers is for models of one side, and "
                    + base.architecture().modelType() + " is an encoder-decoder; leave it out");
        }
    }

    private static int firstLearning(Adapter adapter) {
        int first = Integer.MAX_VALUE;
        for (Site site : adapter.sites()) {
            boolean head =
                    site instanceof Linear linear && (linear.role() == Role.HEAD || linear.role() == Role.POOLER);
            if (!head) {
                first = Math.min(first, Math.max(0, site.layer()));
            }
        }
        return first == Integer.MAX_VALUE ? adapter.base().backbone().size().layers() : first;
    }

    /** What is known of a batch. */
    FrozenPrefix of(Batch batch) {
        return new FrozenPrefix() {
            @Override
            public int layers() {
                return layers;
            }

            @Override
            public @Nullable Tensor known() {
                for (int row : batch.rowIndices()) {
                    if (!rows.containsKey(row)) {
                        return null;
                    }
                }
                return read(batch);
            }

            @Override
            public void learn(Tensor output) {
                write(batch, output);
            }
        };
    }

    private Tensor read(Batch batch) {
        Tensor result = null;
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            for (int i = 0; i < batch.rows(); i++) {
                Tensor states = states(Objects.requireNonNull(rows.get(batch.rowIndices()[i])));
                if (result == null) {
                    result = Tensors.zeros(states.scalar_type(), batch.rows(), batch.width(), states.size(1));
                }
                result.select(0, i).narrow(0, 0, states.size(0)).copy_(states);
            }
            if (result == null) {
                throw new IllegalArgumentException("a batch has rows");
            }
            return scope.keep(result);
        }
    }

    private void write(Batch batch, Tensor output) {
        try (NoGrad off = new NoGrad();
                Scope scope = new Scope()) {
            for (int i = 0; i < batch.rows(); i++) {
                Tensor states = output.detach()
                        .select(0, i)
                        .narrow(0, 0, batch.lengths()[i])
                        .contiguous();
                rows.computeIfAbsent(batch.rowIndices()[i], absent -> store(scope, states));
            }
        }
    }

    private synchronized Stored store(Scope scope, Tensor states) {
        long[] shape = Tensors.shape(states);
        if (held + states.nbytes() <= most) {
            held += states.nbytes();
            return new Stored(scope.release(states.clone()), -1, states.scalar_type(), shape);
        }
        ByteBuffer bytes = Tensors.bytes(states);
        long place = written;
        try {
            if (channel == null) {
                Files.createDirectories(file.toAbsolutePath().getParent());
                channel = FileChannel.open(
                        file,
                        StandardOpenOption.CREATE_NEW,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.DELETE_ON_CLOSE);
            }
            while (bytes.hasRemaining()) {
                written += channel.write(bytes, written);
            }
        } catch (IOException e) {
            throw failed(e);
        }
        return new Stored(null, place, states.scalar_type(), shape);
    }

    private Tensor states(Stored stored) {
        if (stored.states != null) {
            return stored.states;
        }
        FileChannel from = channel;
        if (from == null) {
            throw new IllegalStateException("the file of hidden states is closed");
        }
        long size = stored.shape[0] * stored.shape[1] * elementSize(stored.type);
        ByteBuffer bytes = ByteBuffer.allocateDirect(Math.toIntExact(size)).order(ByteOrder.nativeOrder());
        try {
            while (bytes.hasRemaining()) {
                if (from.read(bytes, stored.place + bytes.position()) < 0) {
                    throw new IOException("it is shorter than what was written");
                }
            }
        } catch (IOException e) {
            throw failed(e);
        }
        return Tensors.of(bytes.flip(), stored.type, stored.shape);
    }

    private static long elementSize(ScalarType type) {
        try (Scope scope = new Scope()) {
            return Tensors.empty(type, 1).element_size();
        }
    }

    private UncheckedIOException failed(IOException e) {
        return new UncheckedIOException("cannot keep hidden states in " + file + ": " + e.getMessage(), e);
    }

    /** How many rows are kept in the file. */
    long spilled() {
        return rows.values().stream().filter(row -> row.states == null).count();
    }

    @Override
    public void close() {
        rows.values().forEach(Stored::close);
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }
}
