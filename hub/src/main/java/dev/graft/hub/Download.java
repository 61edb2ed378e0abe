package dev.graft.hub;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.function.LongConsumer;

/**
 * Downloads one file into {@code <blob>.incomplete}, resumes broken connections, and renames it once its checksum is verified.
 */
record Download(HfHttp http, HfHttp.RemoteFile remoteFile, URI uri, Blob blob, LongConsumer received) {
    private static final int ATTEMPTS_WITHOUT_A_BYTE = 5;

    void into(Path file) {
        Path incomplete = file.resolveSibling(file.getFileName() + ".incomplete");
        try {
            boolean resumed = Files.exists(incomplete);
            complete(incomplete);
            if (!blob.matches(incomplete) && resumed) {
                received.accept(-Files.size(incomplete));
                Files.delete(incomplete); // the earlier part was of something else
                complete(incomplete);
            }
            if (!blob.matches(incomplete)) {
                String found = Files.size(incomplete) + " bytes";
                Files.delete(incomplete);
                throw new FetchException(
                        remoteFile + ": the " + found + " received do not have the checksum " + blob.etag()
                                + " that the hub states; they were thrown away. Try again; if it stays, a proxy or"
                                + " mirror in between is broken.");
            }
            Files.move(incomplete, file, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException(remoteFile + ": cannot write " + incomplete + ": " + e, e);
        }
    }

    private void complete(Path incomplete) throws IOException {
        try (FileChannel out = FileChannel.open(incomplete, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            if (blob.size() < 0 || out.size() > blob.size()) {
                out.truncate(0); // without a size there is no telling whether a part is whole
            }
            received.accept(out.size());
            requireSpace(incomplete, blob.size() - out.size());
            int fruitless = 0;
            while (blob.size() < 0 || out.size() < blob.size()) {
                long before = out.size();
                try {
                    receive(out);
                    if (blob.size() < 0) {
                        break; // only the end of the stream tells the end of the file
                    }
                } catch (ConnectionLost e) {
                    fruitless = out.size() > before ? 0 : fruitless + 1;
                    if (fruitless == ATTEMPTS_WITHOUT_A_BYTE) {
                        throw new FetchException(
                                remoteFile + ": the connection broke " + fruitless + " times without a new byte, at "
                                        + out.size() + " of " + blob.size() + " bytes (" + e.getMessage()
                                        + "). The part is kept; the next try goes on from there.",
                                e);
                    }
                    HfHttp.sleep(http.waitBefore(fruitless + 1));
                }
            }
            out.force(true);
        }
    }

    /** One request for what is missing. */
    private void receive(FileChannel out) throws IOException, ConnectionLost {
        long have = out.size();
        HttpResponse<InputStream> response =
                http.get(remoteFile, uri, have > 0 ? Map.of("Range", "bytes=" + have + "-") : Map.of());
        boolean partial = response.statusCode() == 206;
        String range = response.headers().firstValue("Content-Range").orElse("");
        if (!partial || !range.startsWith("bytes " + have + "-")) {
            received.accept(-have); // the server sends something else than the rest: begin again
            out.truncate(0);
        }
        if (partial && out.size() < have) {
            response.body().close();
            throw new ConnectionLost("the server sent the range '" + range + "'");
        }
        out.position(out.size());
        byte[] buffer = new byte[1 << 16];
        try (StallGuard in = new StallGuard(response.body(), http.timeout())) {
            for (int n; (n = read(in, buffer)) >= 0; ) {
                if (blob.size() >= 0 && out.position() + n > blob.size()) {
                    throw new FetchException(
                            remoteFile + ": the server sends more than the " + blob.size() + " bytes the hub states");
                }
                for (ByteBuffer bytes = ByteBuffer.wrap(buffer, 0, n); bytes.hasRemaining(); ) {
                    out.write(bytes);
                }
                received.accept(n);
            }
        }
        if (blob.size() >= 0 && out.size() < blob.size()) {
            throw new ConnectionLost("it ended early");
        }
    }

    private static int read(InputStream in, byte[] buffer) throws ConnectionLost {
        try {
            return in.read(buffer);
        } catch (IOException e) {
            throw new ConnectionLost(e.toString());
        }
    }

    /** A failure of the network, as distinct from a full disk, which is not tried again. */
    private static final class ConnectionLost extends Exception {
        ConnectionLost(String message) {
            super(message);
        }
    }

    private void requireSpace(Path file, long bytes) throws IOException {
        long free = Files.getFileStore(file).getUsableSpace();
        if (bytes > free) {
            throw new FetchException(remoteFile + ": needs " + bytes + " more bytes on the disk of " + file.getParent()
                    + ", which has " + free + " free; make room or set HF_HOME to another disk");
        }
    }
}
