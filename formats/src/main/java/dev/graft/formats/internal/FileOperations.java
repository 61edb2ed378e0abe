package dev.graft.formats.internal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/**
 * The single operations of atomic writes. Each is announced before it happens, so that tests can make it fail or die.
 */
public final class FileOperations {

    /** Receives the operation and the path before each step; may throw to make the step fail. */
    @FunctionalInterface
    interface Observer {
        void before(String operation, Path path) throws IOException;
    }

    static volatile Observer observer = (operation, path) -> {};

    private FileOperations() {}

    @FunctionalInterface
    public interface Body {
        void write(WritableByteChannel out) throws IOException;
    }

    public static void write(Path file, Body body) throws IOException {
        observer.before("create", file);
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
            body.write(new WritableByteChannel() {
                @Override
                public int write(ByteBuffer source) throws IOException {
                    observer.before("write", file);
                    return channel.write(source);
                }

                @Override
                public boolean isOpen() {
                    return channel.isOpen();
                }

                @Override
                public void close() {
                    // closed once, below, after the content is on the disk
                }
            });
            observer.before("force", file);
            channel.force(true);
        }
    }

    public static void createFolder(Path folder) throws IOException {
        observer.before("create", folder);
        Files.createDirectory(folder);
    }

    public static void rename(Path from, Path to) throws IOException {
        observer.before("rename", to);
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    }

    /** Forces a file, or the entries of a folder, to disk. */
    public static void force(Path path) throws IOException {
        observer.before("force", path);
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
            channel.force(true);
        }
    }

    public static void forceTree(Path folder) throws IOException {
        Files.walkFileTree(folder, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                if (attributes.isRegularFile()) {
                    force(file);
                }
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException e) throws IOException {
                if (e != null) {
                    throw e;
                }
                force(visited);
                return FileVisitResult.CONTINUE;
            }
        });
    }

    /** Removes a file, or a folder with its content. Links are removed, not followed. A missing path is no error. */
    public static void deleteTree(Path path) throws IOException {
        if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        Files.walkFileTree(path, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                return delete(file);
            }

            @Override
            public FileVisitResult postVisitDirectory(Path folder, @Nullable IOException e) throws IOException {
                return delete(folder);
            }

            private FileVisitResult delete(Path found) throws IOException {
                observer.before("delete", found);
                Files.deleteIfExists(found);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
