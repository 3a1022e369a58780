//! The sets with a name.
//!
//! Where the facts are from:
//! - MD5 of the files of MNIST, Fashion-MNIST, KMNIST, EMNIST and SVHN: `torchvision/datasets/mnist.py` and `svhn.py` of
//!   pytorch/vision;
//! - MD5 of CIFAR-10 and CIFAR-100 (binary version): the authors' page, <https://www.cs.toronto.edu/~kriz/cifar.html>;
//! - MD5, classes, numbers of images and licences of MedMNIST: `medmnist/info.py` (version 3, Zenodo record 10519652) of MedMNIST/MedMNIST;
//! - sizes and SHA-256 of all but MedMNIST: `tensorflow_datasets/url_checksums/*.txt` of tensorflow/datasets. Its size of EMNIST is
//!   that of the file at the former address, which has the same MD5;
//! - licences: SVHN's page (<http://ufldl.stanford.edu/housenumbers/>) says "for non-commercial use only"; the pages of CIFAR and EMNIST
//!   name none, and data set cards of others call CIFAR's unknown;
//! - the size of PathMNIST: its transfer as people have logged it. The sizes of the other MedMNIST files are left out, being known
//!   from no source that could be checked.

use super::{NamedSet, Packing, SetFile};
use crate::ImageShape;

const CIFAR_10_FILES: &[&str] = &[
    "batches.meta.txt",
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];

const CIFAR_100_FILES: &[&str] = &["fine_label_names.txt", "test.bin", "train.bin"];

const KRIZHEVSKY: &str = "Krizhevsky: Learning multiple layers of features from tiny images. University of Toronto, 2009";

const EMNIST: NamedSet = NamedSet {
    name: "",
    title: "",
    about: "",
    shape: ImageShape::grey(28, 28),
    images: [0; 3],
    classes: 0,
    class_names: &[],
    licence: "none stated; made from NIST Special Database 19",
    citation: "Cohen, Afshar, Tapson, van Schaik: EMNIST: an extension of MNIST to handwritten letters. arXiv:1702.05373, 2017",
    places: &["https://biometrics.nist.gov/cs_links/EMNIST/"],
    files: &[SetFile {
        name: "gzip.zip",
        bytes: Some(561_753_746),
        md5: "58c8d27c78d21e728a6bc7b3cc06412e",
        sha256: Some("fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"),
    }],
    packing: Packing::Plain,
};

const MEDMNIST: NamedSet = NamedSet {
    name: "",
    title: "",
    about: "",
    shape: ImageShape::grey(28, 28),
    images: [0; 3],
    classes: 0,
    class_names: &[],
    licence: "CC BY 4.0",
    citation: "Yang, Shi, Wei, Liu, Zhao, Ke, Pfister, Ni: MedMNIST v2, a large-scale lightweight benchmark for 2D and 3D biomedical image classification. Scientific Data 10:41, 2023",
    places: &["https://zenodo.org/records/10519652/files/"],
    files: &[],
    packing: Packing::Plain,
};

const ORGANS: &[&str] = &[
    "bladder",
    "femur-left",
    "femur-right",
    "heart",
    "kidney-left",
    "kidney-right",
    "liver",
    "lung-left",
    "lung-right",
    "pancreas",
    "spleen",
];

pub(super) const SETS: &[NamedSet] = &[
    NamedSet {
        name: "mnist",
        title: "MNIST",
        about: "handwritten digits; inside the program",
        shape: ImageShape::grey(28, 28),
        images: [60_000, 0, 10_000],
        classes: 10,
        class_names: &[],
        licence: "CC BY-SA 3.0",
        citation: "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition. Proceedings of the IEEE 86(11), 1998",
        places: &[
            "http://yann.lecun.com/exdb/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ],
        files: &[
            SetFile {
                name: "train-images-idx3-ubyte.gz",
                bytes: Some(9_912_422),
                md5: "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                sha256: Some("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            },
            SetFile {
                name: "train-labels-idx1-ubyte.gz",
                bytes: Some(28_881),
                md5: "d53e105ee54ea40749a09fcbcd1e9432",
                sha256: Some("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            },
            SetFile {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: Some(1_648_877),
                md5: "9fb629c4189551a2d022fa330f9573f3",
                sha256: Some("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            },
            SetFile {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: Some(4_542),
                md5: "ec29112dd5afa0611ce80d1b7f02629c",
                sha256: Some("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
            },
        ],
        packing: Packing::Plain,
    },
    NamedSet {
        name: "fashion-mnist",
        title: "Fashion-MNIST",
        about: "clothes, shoes and bags",
        shape: ImageShape::grey(28, 28),
        images: [60_000, 0, 10_000],
        classes: 10,
        class_names: &[
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
        licence: "MIT",
        citation: "Xiao, Rasul, Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms. arXiv:1708.07747, 2017",
        places: &["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"],
        files: &[
            SetFile {
                name: "train-images-idx3-ubyte.gz",
                bytes: Some(26_421_880),
                md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
                sha256: Some("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            },
            SetFile {
                name: "train-labels-idx1-ubyte.gz",
                bytes: Some(29_515),
                md5: "25c81989df183df01b3e8a0aad5dffbe",
                sha256: Some("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            },
            SetFile {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: Some(4_422_102),
                md5: "bef4ecab320f06d8554ea6380940ec79",
                sha256: Some("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            },
            SetFile {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: Some(5_148),
                md5: "bb300cfdad3c16e7a12a480ee83cd310",
                sha256: Some("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
            },
        ],
        packing: Packing::Plain,
    },
    NamedSet {
        name: "kmnist",
        title: "Kuzushiji-MNIST",
        about: "cursive Japanese letters",
        shape: ImageShape::grey(28, 28),
        images: [60_000, 0, 10_000],
        classes: 10,
        class_names: &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
        licence: "CC BY-SA 4.0",
        citation: "Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha: Deep learning for classical Japanese literature. arXiv:1812.01718, 2018",
        places: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
        files: &[
            SetFile {
                name: "train-images-idx3-ubyte.gz",
                bytes: Some(18_165_135),
                md5: "bdb82020997e1d708af4cf47b453dcf7",
                sha256: Some("51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            },
            SetFile {
                name: "train-labels-idx1-ubyte.gz",
                bytes: Some(29_497),
                md5: "e144d726b3acfaa3e44228e80efcd344",
                sha256: Some("e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            },
            SetFile {
                name: "t10k-images-idx3-ubyte.gz",
                bytes: Some(3_041_136),
                md5: "5c965bf0a639b31b8f53240b1b52f4d7",
                sha256: Some("edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            },
            SetFile {
                name: "t10k-labels-idx1-ubyte.gz",
                bytes: Some(5_120),
                md5: "7320c461ea6c1c855c0b718fb2a4b134",
                sha256: Some("20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
            },
        ],
        packing: Packing::Plain,
    },
    NamedSet {
        name: "emnist-letters",
        title: "EMNIST Letters",
        about: "handwritten letters, large and small together",
        images: [124_800, 0, 20_800],
        classes: 26,
        class_names: &[
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q",
            "r", "s", "t", "u", "v", "w", "x", "y", "z",
        ],
        // Its labels count from 1.
        packing: Packing::Emnist { split: "letters", first_label: 1 },
        ..EMNIST
    },
    NamedSet {
        name: "emnist-balanced",
        title: "EMNIST Balanced",
        about: "handwritten digits and letters; small letters that look like large ones count as large",
        images: [112_800, 0, 18_800],
        classes: 47,
        class_names: &[
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F", "G",
            "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X",
            "Y", "Z", "a", "b", "d", "e", "f", "g", "h", "n", "q", "r", "t",
        ],
        packing: Packing::Emnist { split: "balanced", first_label: 0 },
        ..EMNIST
    },
    NamedSet {
        name: "cifar10",
        title: "CIFAR-10",
        about: "photographs of animals and vehicles",
        shape: ImageShape::colour(32, 32),
        images: [50_000, 0, 10_000],
        classes: 10,
        class_names: &[],
        licence: "none stated",
        citation: KRIZHEVSKY,
        places: &["https://www.cs.toronto.edu/~kriz/"],
        files: &[SetFile {
            name: "cifar-10-binary.tar.gz",
            bytes: Some(170_052_171),
            md5: "c32a1d4ab5d03f1284b67883e8d87530",
            sha256: Some("c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"),
        }],
        packing: Packing::TarGz(CIFAR_10_FILES),
    },
    NamedSet {
        name: "cifar100",
        title: "CIFAR-100",
        about: "photographs of a hundred kinds of things",
        shape: ImageShape::colour(32, 32),
        images: [50_000, 0, 10_000],
        classes: 100,
        class_names: &[],
        licence: "none stated",
        citation: KRIZHEVSKY,
        places: &["https://www.cs.toronto.edu/~kriz/"],
        files: &[SetFile {
            name: "cifar-100-binary.tar.gz",
            bytes: Some(168_513_733),
            md5: "03b5dce01913d631647c71ecec9e9cb8",
            sha256: Some("58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"),
        }],
        packing: Packing::TarGz(CIFAR_100_FILES),
    },
    NamedSet {
        name: "svhn",
        title: "SVHN (Street View House Numbers)",
        about: "digits of house numbers, photographed",
        shape: ImageShape::colour(32, 32),
        images: [73_257, 0, 26_032],
        classes: 10,
        class_names: &[],
        licence: "for non-commercial use only",
        citation: "Netzer, Wang, Coates, Bissacco, Wu, Ng: Reading digits in natural images with unsupervised feature learning. NIPS workshop, 2011",
        places: &["http://ufldl.stanford.edu/housenumbers/"],
        files: &[
            SetFile {
                name: "train_32x32.mat",
                bytes: Some(182_040_794),
                md5: "e26dedcc434d2e4c54c9b2d4a06d8373",
                sha256: Some("435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8"),
            },
            SetFile {
                name: "test_32x32.mat",
                bytes: Some(64_275_384),
                md5: "eb5a983be6a315427106f1b164d9cef3",
                sha256: Some("cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b"),
            },
        ],
        packing: Packing::Plain,
    },
    NamedSet {
        name: "medmnist/pathmnist",
        title: "PathMNIST",
        about: "tissue of the colon",
        shape: ImageShape::colour(28, 28),
        images: [89_996, 10_004, 7_180],
        classes: 9,
        class_names: &[
            "adipose",
            "background",
            "debris",
            "lymphocytes",
            "mucus",
            "smooth muscle",
            "normal colon mucosa",
            "cancer-associated stroma",
            "colorectal adenocarcinoma epithelium",
        ],
        files: &[SetFile {
            name: "pathmnist.npz",
            bytes: Some(205_615_438),
            md5: "a8b06965200029087d5bd730944a56c1",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/chestmnist",
        title: "ChestMNIST",
        about: "chest X-rays, several findings an image",
        images: [78_468, 11_219, 22_433],
        classes: 14,
        class_names: &[
            "atelectasis",
            "cardiomegaly",
            "effusion",
            "infiltration",
            "mass",
            "nodule",
            "pneumonia",
            "pneumothorax",
            "consolidation",
            "edema",
            "emphysema",
            "fibrosis",
            "pleural",
            "hernia",
        ],
        files: &[SetFile {
            name: "chestmnist.npz",
            bytes: None,
            md5: "02c8a6516a18b556561a56cbdd36c4a8",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/dermamnist",
        title: "DermaMNIST",
        about: "pigmented spots of the skin",
        shape: ImageShape::colour(28, 28),
        images: [7_007, 1_003, 2_005],
        classes: 7,
        class_names: &[
            "actinic keratoses and intraepithelial carcinoma",
            "basal cell carcinoma",
            "benign keratosis-like lesions",
            "dermatofibroma",
            "melanoma",
            "melanocytic nevi",
            "vascular lesions",
        ],
        licence: "CC BY-NC 4.0",
        files: &[SetFile {
            name: "dermamnist.npz",
            bytes: None,
            md5: "0744692d530f8e62ec473284d019b0c7",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/octmnist",
        title: "OCTMNIST",
        about: "retinas in optical coherence tomography",
        images: [97_477, 10_832, 1_000],
        classes: 4,
        class_names: &[
            "choroidal neovascularization",
            "diabetic macular edema",
            "drusen",
            "normal",
        ],
        files: &[SetFile {
            name: "octmnist.npz",
            bytes: None,
            md5: "c68d92d5b585d8d81f7112f81e2d0842",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/pneumoniamnist",
        title: "PneumoniaMNIST",
        about: "chest X-rays of children",
        images: [4_708, 524, 624],
        classes: 2,
        class_names: &["normal", "pneumonia"],
        files: &[SetFile {
            name: "pneumoniamnist.npz",
            bytes: None,
            md5: "28209eda62fecd6e6a2d98b1501bb15f",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/retinamnist",
        title: "RetinaMNIST",
        about: "retinas, five degrees of diabetic disease",
        shape: ImageShape::colour(28, 28),
        images: [1_080, 120, 400],
        classes: 5,
        class_names: &[],
        files: &[SetFile {
            name: "retinamnist.npz",
            bytes: None,
            md5: "bd4c0672f1bba3e3a89f0e4e876791e4",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/breastmnist",
        title: "BreastMNIST",
        about: "ultrasound of the breast",
        images: [546, 78, 156],
        classes: 2,
        class_names: &["malignant", "normal, benign"],
        files: &[SetFile {
            name: "breastmnist.npz",
            bytes: None,
            md5: "750601b1f35ba3300ea97c75c52ff8f6",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/bloodmnist",
        title: "BloodMNIST",
        about: "blood cells",
        shape: ImageShape::colour(28, 28),
        images: [11_959, 1_712, 3_421],
        classes: 8,
        class_names: &[
            "basophil",
            "eosinophil",
            "erythroblast",
            "immature granulocytes(myelocytes, metamyelocytes and promyelocytes)",
            "lymphocyte",
            "monocyte",
            "neutrophil",
            "platelet",
        ],
        files: &[SetFile {
            name: "bloodmnist.npz",
            bytes: None,
            md5: "7053d0359d879ad8a5505303e11de1dc",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/tissuemnist",
        title: "TissueMNIST",
        about: "cells of the kidney's cortex",
        images: [165_466, 23_640, 47_280],
        classes: 8,
        class_names: &[
            "Collecting Duct, Connecting Tubule",
            "Distal Convoluted Tubule",
            "Glomerular endothelial cells",
            "Interstitial endothelial cells",
            "Leukocytes",
            "Podocytes",
            "Proximal Tubule Segments",
            "Thick Ascending Limb",
        ],
        files: &[SetFile {
            name: "tissuemnist.npz",
            bytes: None,
            md5: "ebe78ee8b05294063de985d821c1c34b",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/organamnist",
        title: "OrganAMNIST",
        about: "organs in computed tomography, axial",
        images: [34_561, 6_491, 17_778],
        classes: 11,
        class_names: ORGANS,
        files: &[SetFile {
            name: "organamnist.npz",
            bytes: None,
            md5: "68e3f8846a6bd62f0c9bf841c0d9eacc",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/organcmnist",
        title: "OrganCMNIST",
        about: "organs in computed tomography, coronal",
        images: [12_975, 2_392, 8_216],
        classes: 11,
        class_names: ORGANS,
        files: &[SetFile {
            name: "organcmnist.npz",
            bytes: None,
            md5: "b9ceb9546e10131b32923c5bbeaea2b1",
            sha256: None,
        }],
        ..MEDMNIST
    },
    NamedSet {
        name: "medmnist/organsmnist",
        title: "OrganSMNIST",
        about: "organs in computed tomography, sagittal",
        images: [13_932, 2_452, 8_827],
        classes: 11,
        class_names: ORGANS,
        files: &[SetFile {
            name: "organsmnist.npz",
            bytes: None,
            md5: "9ab87b696fb54e2a387ebe992d6ed5f1",
            sha256: None,
        }],
        ..MEDMNIST
    },
];
