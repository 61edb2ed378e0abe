package dev.graft.train;

import dev.graft.formats.FileAccessException;
import dev.graft.formats.InputException;
import dev.graft.models.Base;
import dev.graft.models.forward.FrozenLayerCache;
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
 * A cache of the hidden states of every row below the first trained layer, so that each row goes through the frozen layers once in a run.
 * It is in memory up to a limit, then in a file that is deleted with the process.
 */
final class HiddenStateCache implements AutoCloseable {
    private final int layers;
    private final long maxBytes;
    private final Path file;
    private final Map<Integer, StoredStates> rows = new ConcurrentHashMap<>();
    private long heldBytes;
    private long writtenBytes;
    private @Nullable FileChannel channel;

    /** A row's states, {@code [length, hidden]}: in memory, or where in the file. */
    private record StoredStates(@Nullable Tensor states, long place, ScalarType type, long... shape)
            implements AutoCloseable {
        @Override
        public void close() {
            if (states != null) {
                states.close();
            }
        }
    }

    /**
     * Creates the cache of an adapter.
     *
     * @param most the maximum number of bytes in memory
     * @param folder the folder of the file
     * @throws InputException if something below the second layer learns
     */
    HiddenStateCache(Adapter adapter, long most, Path folder) {
        this.layers = firstTrainedLayer(adapter);
        this.maxBytes = most;
        this.file = folder.resolve(".hidden-states-" + ProcessHandle.current().pid() + "-" + System.nanoTime());
        if (layers == 0) {
            throw new InputException(
                    "cache_frozen_layers keeps what the layers below the first one that learns give, but this adapter"
                            + " acts on the first layer or before it; leave it out, or choose layers_to_transform");
        }
        Base base = adapter.base();
        if (base.isEncoderDecoder()) {
            throw new InputException("cache_frozen_layers is for models of one side, and "
                    + base.architecture().modelType() + " is an encoder-decoder; leave it out");
        }
    }

    private static int firstTrainedLayer(Adapter adapter) {
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

    /** Returns the stored states of a batch. */
    FrozenLayerCache of(Batch batch) {
        return new FrozenLayerCache() {
            @Override
            public int layers() {
                return layers;
            }

            @Override
            public @Nullable Tensor cachedOutput() {
                for (int row : batch.rowIndices()) {
                    if (!rows.containsKey(row)) {
                        return null;
                    }
                }
                return read(batch);
            }

            @Override
            public void cacheOutput(Tensor output) {
                write(batch, output);
            }
        };
    }

    private Tensor read(Batch batch) {
        Tensor result = null;
        try (NoGrad noGrad = new NoGrad();
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
        try (NoGrad noGrad = new NoGrad();
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

    private synchronized StoredStates store(Scope scope, Tensor states) {
        long[] shape = Tensors.shape(states);
        if (heldBytes + states.nbytes() <= maxBytes) {
            heldBytes += states.nbytes();
            return new StoredStates(scope.release(states.clone()), -1, states.scalar_type(), shape);
        }
        ByteBuffer bytes = Tensors.bytes(states);
        long place = writtenBytes;
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
                writtenBytes += channel.write(bytes, writtenBytes);
            }
        } catch (IOException e) {
            throw failed(e);
        }
        return new StoredStates(null, place, states.scalar_type(), shape);
    }

    private Tensor states(StoredStates stored) {
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
        return new FileAccessException("cannot keep hidden states in " + file, e);
    }

    /** The number of rows in the file. */
    long spilled() {
        return rows.values().stream().filter(row -> row.states == null).count();
    }

    @Override
    public void close() {
        rows.values().forEach(StoredStates::close);
        try {
            if (channel != null) {
                channel.close();
            }
        } catch (IOException e) {
            throw failed(e);
        }
    }
}
