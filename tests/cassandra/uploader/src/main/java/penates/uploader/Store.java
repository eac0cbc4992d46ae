package penates.uploader;

import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.xerial.snappy.SnappyOutputStream;

/**
 * The bucket: TREE/bucket/KEY, and a line per upload in TREE/objects.tsv (key, size, SHA-256, ETag,
 * user metadata). A key that is uploaded again has its newest line last.
 */
final class Store {
    /** Priam reads and writes by this much; it is no block border. */
    private static final int WRITE = 2048;

    private static final String HEAD = "key\tsize\tsha256\tetag\tuser_metadata\n";

    private final Path bucket;
    private final Path index;
    private final int blockSize;

    Store(Path tree, int blockSize) throws IOException {
        this.bucket = tree.resolve("bucket");
        this.index = tree.resolve("objects.tsv");
        this.blockSize = blockSize;
        Files.createDirectories(bucket);
        if (!Files.exists(index)) {
            Files.writeString(index, HEAD);
        }
    }

    boolean has(String key) {
        return Files.isRegularFile(bucket.resolve(key));
    }

    void put(String key, Path file, long modified, String compression) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            put(key, in, modified, compression);
        }
    }

    void put(String key, byte[] bytes, long modified, String compression) throws IOException {
        put(key, new ByteArrayInputStream(bytes), modified, compression);
    }

    private void put(String key, InputStream in, long modified, String compression)
            throws IOException {
        Path target = bucket.resolve(key);
        Files.createDirectories(target.getParent());
        Digests digests;
        long plain;
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(target))) {
            digests = new Digests(out);
            plain = copy(in, compression.equals("SNAPPY")
                    ? new SnappyOutputStream(digests, blockSize) : digests);
        }
        String size = plain > 0 ? ", \"local-size\": \"" + plain + "\"" : "";
        String line = key + "\t" + digests.size + "\t" + hex(digests.sha256) + "\t\""
                + hex(digests.md5) + "\"\t{\"local-modification-time\": \"" + modified + "\"" + size
                + "}\n";
        Files.writeString(index, line, StandardCharsets.UTF_8, StandardOpenOption.APPEND);
    }

    private static long copy(InputStream in, OutputStream out) throws IOException {
        byte[] buffer = new byte[WRITE];
        long total = 0;
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            out.write(buffer, 0, n);
            total += n;
        }
        out.close();
        return total;
    }

    private static String hex(MessageDigest digest) {
        return HexFormat.of().formatHex(digest.digest());
    }

    /** Hashes what passes; closing it leaves the stream below open. */
    private static final class Digests extends OutputStream {
        private final OutputStream out;
        private final MessageDigest md5;
        private final MessageDigest sha256;
        private long size;

        Digests(OutputStream out) {
            this.out = out;
            try {
                md5 = MessageDigest.getInstance("MD5");
                sha256 = MessageDigest.getInstance("SHA-256");
            } catch (NoSuchAlgorithmException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        public void write(int b) throws IOException {
            write(new byte[] {(byte) b}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int at, int n) throws IOException {
            out.write(bytes, at, n);
            md5.update(bytes, at, n);
            sha256.update(bytes, at, n);
            size += n;
        }
    }
}
