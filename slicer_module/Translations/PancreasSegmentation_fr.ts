<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="fr">
<context>
    <name>PancreasSegmentation</name>
    <message>
        <source>Pancreas Segmentation</source>
        <translation>Segmentation du pancréas</translation>
    </message>
    <message>
        <source>Finds the pancreas in CT with the Globally Guided Progressive Fusion Network (GGPFN). Choose a volume and press Apply; then move the threshold. For research, not for clinical use. See the tutorial in the extension&apos;s folder Docs.</source>
        <translation>Trouve le pancréas dans un scanner avec le Globally Guided Progressive Fusion Network (GGPFN). Choisissez un volume et appuyez sur Appliquer ; déplacez ensuite le seuil. Pour la recherche, pas pour l&apos;usage clinique. Le tutoriel est dans le dossier Docs de l&apos;extension.</translation>
    </message>
    <message>
        <source>After Chaowei Fang and others: Globally Guided Progressive Fusion Network for 3D Pancreas Segmentation, MICCAI 2019. The data that the shipped model was trained on is listed on its model card.</source>
        <translation>D&apos;après Chaowei Fang et autres : Globally Guided Progressive Fusion Network for 3D Pancreas Segmentation, MICCAI 2019. Les données d&apos;entraînement du modèle fourni sont indiquées sur sa fiche.</translation>
    </message>
    <message>
        <source>Input</source>
        <translation>Entrée</translation>
    </message>
    <message>
        <source>CT volume:</source>
        <translation>Volume TDM :</translation>
    </message>
    <message>
        <source>The CT, in Hounsfield units. For a sequence, its volume of the moment; all of them under Batch.</source>
        <translation>Le scanner, en unités Hounsfield. Pour une séquence, son volume actuel ; tous ses volumes sous Lot.</translation>
    </message>
    <message>
        <source>Extent:</source>
        <translation>Étendue :</translation>
    </message>
    <message>
        <source>The whole volume, the body without the air around it, or a box that you place. A smaller region is faster and needs less memory.</source>
        <translation>Le volume entier, le corps sans l&apos;air autour, ou une boîte que vous placez. Une région plus petite est plus rapide et demande moins de mémoire.</translation>
    </message>
    <message>
        <source>Region:</source>
        <translation>Région :</translation>
    </message>
    <message>
        <source>The box to look at. A new one is laid around the body; drag its handles to the upper abdomen.</source>
        <translation>La boîte à examiner. Une nouvelle est placée autour du corps ; tirez ses poignées vers le haut de l&apos;abdomen.</translation>
    </message>
    <message>
        <source>Region</source>
        <translation>Région</translation>
    </message>
    <message>
        <source>Lays the region around the body, along the volume&apos;s axes.</source>
        <translation>Place la région autour du corps, le long des axes du volume.</translation>
    </message>
    <message>
        <source>Fit to body</source>
        <translation>Ajuster au corps</translation>
    </message>
    <message>
        <source>Draws the region anew by two clicks in the slices, from one corner to the other.</source>
        <translation>Redessine la région par deux clics dans les coupes, d&apos;un coin à l&apos;autre.</translation>
    </message>
    <message>
        <source>Place</source>
        <translation>Placer</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>Modèle</translation>
    </message>
    <message>
        <source>Model:</source>
        <translation>Modèle :</translation>
    </message>
    <message>
        <source>The small model that ships with ggpfn, or a model file of your own.</source>
        <translation>Le petit modèle fourni avec ggpfn, ou un fichier de modèle à vous.</translation>
    </message>
    <message>
        <source>File:</source>
        <translation>Fichier :</translation>
    </message>
    <message>
        <source>A model file, .safetensors.</source>
        <translation>Un fichier de modèle, .safetensors.</translation>
    </message>
    <message>
        <source>Choose a model file.</source>
        <translation>Choisit un fichier de modèle.</translation>
    </message>
    <message>
        <source>...</source>
        <translation>...</translation>
    </message>
    <message>
        <source>Details</source>
        <translation>Détails</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>Résultat</translation>
    </message>
    <message>
        <source>Segmentation:</source>
        <translation>Segmentation :</translation>
    </message>
    <message>
        <source>Where the pancreas goes, as a segment of its own. Other segments stay, and so does a pancreas that you have edited.</source>
        <translation>Où va le pancréas, comme segment à part. Les autres segments restent, de même qu&apos;un pancréas que vous avez modifié.</translation>
    </message>
    <message>
        <source>New segmentation</source>
        <translation>Nouvelle segmentation</translation>
    </message>
    <message>
        <source>Threshold:</source>
        <translation>Seuil :</translation>
    </message>
    <message>
        <source>Voxels of at least this probability are pancreas. After a run, moving this changes the result at once.</source>
        <translation>Les voxels d&apos;au moins cette probabilité sont du pancréas. Après un calcul, le résultat suit aussitôt.</translation>
    </message>
    <message>
        <source>Keeps the largest connected component; after a run it changes the result at once.</source>
        <translation>Garde seulement la plus grande composante connexe ; après un calcul, le résultat change aussitôt.</translation>
    </message>
    <message>
        <source>Largest component only</source>
        <translation>Plus grande composante seulement</translation>
    </message>
    <message>
        <source>Shows the segmentation in 3D, or hides it there.</source>
        <translation>Affiche la segmentation en 3D, ou l&apos;y masque.</translation>
    </message>
    <message>
        <source>Show 3D</source>
        <translation>Afficher en 3D</translation>
    </message>
    <message>
        <source>Finds the pancreas.</source>
        <translation>Cherche le pancréas.</translation>
    </message>
    <message>
        <source>Apply</source>
        <translation>Appliquer</translation>
    </message>
    <message>
        <source>Stops the work at once.</source>
        <translation>Arrête le travail aussitôt.</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Annuler</translation>
    </message>
    <message>
        <source>How far the result of the last run can be trusted.</source>
        <translation>La confiance à accorder au résultat du dernier calcul.</translation>
    </message>
    <message>
        <source>Replaces your corrections by the result of the last run, at the threshold above. They can be brought back.</source>
        <translation>Remplace vos corrections par le résultat du dernier calcul, au seuil ci-dessus. Elles peuvent être rétablies.</translation>
    </message>
    <message>
        <source>Replace by the result</source>
        <translation>Remplacer par le résultat</translation>
    </message>
    <message>
        <source>Brings back the corrections that were replaced.</source>
        <translation>Rétablit les corrections remplacées.</translation>
    </message>
    <message>
        <source>Restore the corrections</source>
        <translation>Rétablir les corrections</translation>
    </message>
    <message>
        <source>Goes to the Segment Editor with this segmentation and its CT.</source>
        <translation>Ouvre le module Segment Editor avec cette segmentation et son scanner.</translation>
    </message>
    <message>
        <source>Edit in Segment Editor</source>
        <translation>Modifier dans Segment Editor</translation>
    </message>
    <message>
        <source>Writes a DICOM segmentation that refers to the CT, which has to be loaded by the module DICOM: by the extension Quantitative Reporting if it is installed, else to a file.</source>
        <translation>Écrit une segmentation DICOM qui se réfère au scanner, lequel doit être chargé par le module DICOM : par l&apos;extension Quantitative Reporting si elle est installée, sinon dans un fichier.</translation>
    </message>
    <message>
        <source>Export as DICOM SEG</source>
        <translation>Exporter en DICOM SEG</translation>
    </message>
    <message>
        <source>What the model is fit for. More under Model, Details.</source>
        <translation>Ce que vaut le modèle. Plus sous Modèle, Détails.</translation>
    </message>
    <message>
        <source>Measurements</source>
        <translation>Mesures</translation>
    </message>
    <message>
        <source>The pancreas in numbers. The same table is a node of the scene.</source>
        <translation>Le pancréas en chiffres. Le même tableau est un nœud de la scène.</translation>
    </message>
    <message>
        <source>Measures the segment as it is now, with your corrections.</source>
        <translation>Mesure le segment tel qu&apos;il est, avec vos corrections.</translation>
    </message>
    <message>
        <source>Measure again</source>
        <translation>Mesurer à nouveau</translation>
    </message>
    <message>
        <source>Opens a layout with the table beside the slices, from which it can be copied.</source>
        <translation>Ouvre une disposition avec le tableau à côté des coupes, d&apos;où il peut être copié.</translation>
    </message>
    <message>
        <source>Show table</source>
        <translation>Afficher le tableau</translation>
    </message>
    <message>
        <source>Advanced</source>
        <translation>Avancé</translation>
    </message>
    <message>
        <source>Axial:</source>
        <translation>Axiale :</translation>
    </message>
    <message>
        <source>Looks at axial slices.</source>
        <translation>Examine les coupes axiales.</translation>
    </message>
    <message>
        <source>Use, weight</source>
        <translation>Utiliser, poids</translation>
    </message>
    <message>
        <source>Sagittal:</source>
        <translation>Sagittale :</translation>
    </message>
    <message>
        <source>Looks at sagittal slices.</source>
        <translation>Examine les coupes sagittales.</translation>
    </message>
    <message>
        <source>Coronal:</source>
        <translation>Coronale :</translation>
    </message>
    <message>
        <source>Looks at coronal slices.</source>
        <translation>Examine les coupes coronales.</translation>
    </message>
    <message>
        <source>How much each view counts; they are scaled to add up to 1.</source>
        <translation>Le poids de chaque vue ; leur somme est ramenée à 1.</translation>
    </message>
    <message>
        <source>Weights of my own instead of the model&apos;s</source>
        <translation>Mes propres poids au lieu de ceux du modèle</translation>
    </message>
    <message>
        <source>Device:</source>
        <translation>Appareil :</translation>
    </message>
    <message>
        <source>Where to compute.</source>
        <translation>Où calculer.</translation>
    </message>
    <message>
        <source>Precision:</source>
        <translation>Précision :</translation>
    </message>
    <message>
        <source>16 bits are faster on recent processors and GPUs; probabilities differ by up to about 0.01.</source>
        <translation>16 bits sont plus rapides sur les processeurs et GPU récents ; les probabilités diffèrent de 0,01 environ au plus.</translation>
    </message>
    <message>
        <source>Cuts slices into patches of 256 x 256.</source>
        <translation>Découpe les coupes en carreaux de 256 x 256.</translation>
    </message>
    <message>
        <source>Patches, for GPUs with little memory</source>
        <translation>Carreaux, pour les GPU à petite mémoire</translation>
    </message>
    <message>
        <source>Dice between the views&apos; own results, in the table.</source>
        <translation>Dice entre les résultats des vues, dans le tableau.</translation>
    </message>
    <message>
        <source>Agreement between the views</source>
        <translation>Accord entre les vues</translation>
    </message>
    <message>
        <source>Adds a volume with the fused probability, 0 to 1.</source>
        <translation>Ajoute un volume avec la probabilité fusionnée, de 0 à 1.</translation>
    </message>
    <message>
        <source>Probability map</source>
        <translation>Carte de probabilité</translation>
    </message>
    <message>
        <source>Adds a volume with the views&apos; disagreement: the standard deviation of their probabilities, 0 to 0.5.</source>
        <translation>Ajoute un volume avec le désaccord des vues : l&apos;écart type de leurs probabilités, de 0 à 0,5.</translation>
    </message>
    <message>
        <source>Uncertainty map</source>
        <translation>Carte d&apos;incertitude</translation>
    </message>
    <message>
        <source>Run in:</source>
        <translation>Exécuter dans :</translation>
    </message>
    <message>
        <source>This process is fastest. A separate process is for a Slicer whose Python has a libtorch of its own. Automatic: this process, unless it has one.</source>
        <translation>Ce processus est le plus rapide. Un processus séparé est pour un Slicer dont le Python a sa propre libtorch. Automatique : ce processus, sauf s&apos;il en a une.</translation>
    </message>
    <message>
        <source>Library:</source>
        <translation>Bibliothèque :</translation>
    </message>
    <message>
        <source>The folder of libggpfn. Empty: where the extension has it.</source>
        <translation>Le dossier de libggpfn. Vide : là où l&apos;extension l&apos;a mise.</translation>
    </message>
    <message>
        <source>Choose the folder.</source>
        <translation>Choisit le dossier.</translation>
    </message>
    <message>
        <source>Batch</source>
        <translation>Lot</translation>
    </message>
    <message>
        <source>Scans:</source>
        <translation>Scanners :</translation>
    </message>
    <message>
        <source>What to go through, with the settings above.</source>
        <translation>Ce qui est parcouru, avec les réglages ci-dessus.</translation>
    </message>
    <message>
        <source>Tick the volumes.</source>
        <translation>Cochez les volumes.</translation>
    </message>
    <message>
        <source>Sequence:</source>
        <translation>Séquence :</translation>
    </message>
    <message>
        <source>A sequence of CT volumes.</source>
        <translation>Une séquence de volumes TDM.</translation>
    </message>
    <message>
        <source>Folder:</source>
        <translation>Dossier :</translation>
    </message>
    <message>
        <source>A folder of image files (NIfTI, NRRD, MetaImage) and of folders with DICOM series.</source>
        <translation>Un dossier de fichiers d&apos;images (NIfTI, NRRD, MetaImage) et de dossiers de séries DICOM.</translation>
    </message>
    <message>
        <source>Write to:</source>
        <translation>Écrire dans :</translation>
    </message>
    <message>
        <source>Where segmentations and a table go. Empty: beside the scans.</source>
        <translation>Où vont les segmentations et un tableau. Vide : à côté des scanners.</translation>
    </message>
    <message>
        <source>One scan after the other; what fails is a line in the table.</source>
        <translation>Un scanner après l&apos;autre ; un échec est une ligne du tableau.</translation>
    </message>
    <message>
        <source>Segment all</source>
        <translation>Tout segmenter</translation>
    </message>
    <message>
        <source>Fine-tune</source>
        <translation>Affiner le modèle</translation>
    </message>
    <message>
        <source>Volume:</source>
        <translation>Volume :</translation>
    </message>
    <message>
        <source>A CT of the scene.</source>
        <translation>Un scanner de la scène.</translation>
    </message>
    <message>
        <source>Corrected:</source>
        <translation>Corrigée :</translation>
    </message>
    <message>
        <source>Its segmentation, corrected by hand.</source>
        <translation>Sa segmentation, corrigée à la main.</translation>
    </message>
    <message>
        <source>Adds the two above to the training.</source>
        <translation>Ajoute les deux ci-dessus à l&apos;entraînement.</translation>
    </message>
    <message>
        <source>Add pair</source>
        <translation>Ajouter la paire</translation>
    </message>
    <message>
        <source>Removes the pair that is selected.</source>
        <translation>Retire la paire sélectionnée.</translation>
    </message>
    <message>
        <source>Remove pair</source>
        <translation>Retirer la paire</translation>
    </message>
    <message>
        <source>The pairs that the model learns from.</source>
        <translation>Les paires dont le modèle apprend.</translation>
    </message>
    <message>
        <source>The last pair is not learnt from; it shows how good the model has become, and chooses the best one.</source>
        <translation>La dernière paire ne sert pas à apprendre ; elle montre ce que vaut le modèle et choisit le meilleur.</translation>
    </message>
    <message>
        <source>Validate on the last pair</source>
        <translation>Valider sur la dernière paire</translation>
    </message>
    <message>
        <source>Epochs:</source>
        <translation>Époques :</translation>
    </message>
    <message>
        <source>How often the model goes through the pairs.</source>
        <translation>Combien de fois le modèle parcourt les paires.</translation>
    </message>
    <message>
        <source>Minutes at most:</source>
        <translation>Minutes au plus :</translation>
    </message>
    <message>
        <source>0: as long as it takes.</source>
        <translation>0 : aussi longtemps qu&apos;il faut.</translation>
    </message>
    <message>
        <source>New model:</source>
        <translation>Nouveau modèle :</translation>
    </message>
    <message>
        <source>The file that the new model goes to; one that is there already is not replaced, but gets a number. Empty: a new one in the folder ggpfn-models of your home.</source>
        <translation>Le fichier du nouveau modèle ; un fichier existant n&apos;est pas remplacé, le nouveau reçoit un numéro. Vide : un nouveau fichier dans le dossier ggpfn-models de votre répertoire personnel.</translation>
    </message>
    <message>
        <source>Choose the file.</source>
        <translation>Choisit le fichier.</translation>
    </message>
    <message>
        <source>Goes on training the model that is chosen above.</source>
        <translation>Continue l&apos;entraînement du modèle choisi ci-dessus.</translation>
    </message>
    <message>
        <source>Ends the training and keeps the best model so far.</source>
        <translation>Termine l&apos;entraînement et garde le meilleur modèle obtenu.</translation>
    </message>
    <message>
        <source>Stop and keep</source>
        <translation>Arrêter et garder</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>Comparer</translation>
    </message>
    <message>
        <source>What is to be judged.</source>
        <translation>Ce qui est à juger.</translation>
    </message>
    <message>
        <source>Truth:</source>
        <translation>Vérité :</translation>
    </message>
    <message>
        <source>What it is judged by.</source>
        <translation>À quoi on la compare.</translation>
    </message>
    <message>
        <source>Dice, volumes and distances of the surfaces.</source>
        <translation>Dice, volumes et distances des surfaces.</translation>
    </message>
    <message>
        <source>How well the two agree. The same table is a node of the scene.</source>
        <translation>L&apos;accord entre les deux. Le même tableau est un nœud de la scène.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.batch</name>
    <message>
        <source>Scan</source>
        <translation>Scanner</translation>
    </message>
    <message>
        <source>Volume (mL)</source>
        <translation>Volume (ml)</translation>
    </message>
    <message>
        <source>Mean (HU)</source>
        <translation>Moyenne (HU)</translation>
    </message>
    <message>
        <source>Components</source>
        <translation>Composantes</translation>
    </message>
    <message>
        <source>Expected Dice</source>
        <translation>Dice attendu</translation>
    </message>
    <message>
        <source>Doubtful</source>
        <translation>Douteux</translation>
    </message>
    <message>
        <source>Seconds</source>
        <translation>Secondes</translation>
    </message>
    <message>
        <source>Remark</source>
        <translation>Remarque</translation>
    </message>
    <message>
        <source>The volume was deleted.</source>
        <translation>Le volume a été supprimé.</translation>
    </message>
    <message>
        <source>The sequence was deleted.</source>
        <translation>La séquence a été supprimée.</translation>
    </message>
    <message>
        <source>{path} cannot be written.</source>
        <translation>{path} ne peut pas être écrit.</translation>
    </message>
    <message>
        <source>{old} was edited by hand and stays as it is; the result is in {new}.</source>
        <translation>{old} a été modifiée à la main et reste telle quelle ; le résultat est dans {new}.</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>Choisissez un fichier de modèle, ou le modèle fourni.</translation>
    </message>
    <message>
        <source>Tick at least one view under Advanced.</source>
        <translation>Cochez au moins une vue sous Avancé.</translation>
    </message>
    <message>
        <source>Files of a folder lie in places of their own; crop to the body instead of a region.</source>
        <translation>Les fichiers d&apos;un dossier ont chacun leur place dans l&apos;espace ; limitez l&apos;étendue au corps plutôt qu&apos;à une région.</translation>
    </message>
    <message>
        <source>Segmenting {count} scans</source>
        <translation>Segmentation de {count} scanners</translation>
    </message>
    <message>
        <source>Tick at least one volume.</source>
        <translation>Cochez au moins un volume.</translation>
    </message>
    <message>
        <source>Choose a sequence that has volumes in it.</source>
        <translation>Choisissez une séquence qui contient des volumes.</translation>
    </message>
    <message>
        <source>{name} is no sequence of volumes.</source>
        <translation>{name} n&apos;est pas une séquence de volumes.</translation>
    </message>
    <message>
        <source>{name} pancreas</source>
        <translation>{name} pancréas</translation>
    </message>
    <message>
        <source>yes</source>
        <translation>oui</translation>
    </message>
    <message>
        <source>no</source>
        <translation>non</translation>
    </message>
    <message>
        <source>{done} of {count} scans are segmented.</source>
        <translation>{done} scanners sur {count} sont segmentés.</translation>
    </message>
    <message>
        <source>The table says what became of the others.</source>
        <translation>Le tableau dit ce qu&apos;il est advenu des autres.</translation>
    </message>
    <message>
        <source>{count} results are doubtful: look at them before you use them.</source>
        <translation>{count} résultats sont douteux : regardez-les avant de les utiliser.</translation>
    </message>
    <message>
        <source>Pancreas of many scans</source>
        <translation>Pancréas de plusieurs scanners</translation>
    </message>
    <message>
        <source>Cancelled, since the scene was closed.</source>
        <translation>Annulé, car la scène a été fermée.</translation>
    </message>
    <message>
        <source>Scan {number} of {count}, {phase}</source>
        <translation>Scanner {number} sur {count}, {phase}</translation>
    </message>
    <message>
        <source>Choose the folder that has the scans.</source>
        <translation>Choisissez le dossier des scanners.</translation>
    </message>
    <message>
        <source>There is no image in {folder}; {endings} and DICOM series are looked for.</source>
        <translation>Il n&apos;y a pas d&apos;image dans {folder} ; sont cherchés {endings} et les séries DICOM.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.comparison</name>
    <message>
        <source>Choose two segmentations.</source>
        <translation>Choisissez deux segmentations.</translation>
    </message>
    <message>
        <source>Choose two different segmentations.</source>
        <translation>Choisissez deux segmentations différentes.</translation>
    </message>
    <message>
        <source>Comparing</source>
        <translation>Comparaison en cours</translation>
    </message>
    <message>
        <source>Choose the CT of the segmentations as the input volume; its grid is needed.</source>
        <translation>Choisissez le scanner des segmentations comme volume d&apos;entrée ; sa grille est nécessaire.</translation>
    </message>
    <message>
        <source>Comparison</source>
        <translation>Comparaison</translation>
    </message>
    <message>
        <source>Dice {dice:.3f}</source>
        <translation>Dice {dice:.3f}</translation>
    </message>
    <message>
        <source>A segmentation was deleted during the comparison.</source>
        <translation>Une segmentation a été supprimée pendant la comparaison.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.dicom_export</name>
    <message>
        <source>Choose the segmentation that is to be exported under Result.</source>
        <translation>Choisissez sous Résultat la segmentation à exporter.</translation>
    </message>
    <message>
        <source>Writing {path}</source>
        <translation>Écriture de {path}</translation>
    </message>
    <message>
        <source>{path} was written: the pancreas on {slices} of {count} slices.</source>
        <translation>{path} a été écrit : le pancréas sur {slices} des {count} coupes.</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted while it was written.</source>
        <translation>Le volume ou la segmentation a été supprimé pendant l&apos;écriture.</translation>
    </message>
    <message>
        <source>Choose the CT of the segmentation as the input volume.</source>
        <translation>Choisissez le scanner de la segmentation comme volume d&apos;entrée.</translation>
    </message>
    <message>
        <source>{name} was not loaded by the module DICOM, so there is no series that a DICOM segmentation could refer to. Load the CT from Slicer&apos;s DICOM database and segment it, or save the segmentation as an image.</source>
        <translation>{name} n&apos;a pas été chargé par le module DICOM, il n&apos;y a donc pas de série à laquelle une segmentation DICOM pourrait se référer. Chargez le scanner depuis la base DICOM de Slicer et segmentez-le, ou enregistrez la segmentation comme image.</translation>
    </message>
    <message>
        <source>{missing} of the {count} DICOM files of {name} are no longer where Slicer&apos;s DICOM database says. Import the series again.</source>
        <translation>{missing} des {count} fichiers DICOM de {name} ne sont plus là où le dit la base DICOM de Slicer. Importez à nouveau la série.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.dicom_input</name>
    <message>
        <source>{folder} has no CT series in it that Slicer&apos;s batch can read.</source>
        <translation>{folder} n&apos;a pas de série TDM que le lot sache lire.</translation>
    </message>
    <message>
        <source>The folder has {count} CT series; the one of the most slices was taken, {slices}: {name}.</source>
        <translation>Le dossier a {count} séries TDM ; celle qui a le plus de coupes a été prise, {slices} : {name}.</translation>
    </message>
    <message>
        <source>{folder} has a series of several slices in one file; load it by the module DICOM.</source>
        <translation>{folder} a une série de plusieurs coupes dans un fichier ; chargez-la par le module DICOM.</translation>
    </message>
    <message>
        <source>The slices in {folder} differ in {tag}; one value was expected.</source>
        <translation>Les coupes de {folder} diffèrent en {tag} ; une seule valeur était attendue.</translation>
    </message>
    <message>
        <source>{folder} has {count} slices; at least 3 were expected.</source>
        <translation>{folder} a {count} coupes ; il en faut au moins 3.</translation>
    </message>
    <message>
        <source>The slices in {folder} do not follow each other evenly: {low:.2f} to {high:.2f} mm lie between them. Slices are missing, or there are several scans in one series.</source>
        <translation>Les coupes de {folder} ne se suivent pas régulièrement : {low:.2f} à {high:.2f} mm les séparent. Des coupes manquent, ou une série contient plusieurs acquisitions.</translation>
    </message>
    <message>
        <source>The gantry was tilted by {tilt:.1f} degrees in {folder}. Load it by the module DICOM, resample it by the module Crop Volume, and segment that volume.</source>
        <translation>Le statif était incliné de {tilt:.1f} degrés dans {folder}. Chargez la série par le module DICOM, rééchantillonnez-la par le module Crop Volume et segmentez le volume obtenu.</translation>
    </message>
    <message>
        <source>{folder} cannot be read by Slicer.</source>
        <translation>{folder} ne peut pas être lu par Slicer.</translation>
    </message>
    <message>
        <source>Slicer read {found} of the {count} slices in {folder}; load it by the module DICOM.</source>
        <translation>Slicer a lu {found} des {count} coupes de {folder} ; chargez la série par le module DICOM.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.engines</name>
    <message>
        <source>A GPU can be used: {names}.</source>
        <translation>Un GPU est utilisable : {names}.</translation>
    </message>
    <message>
        <source>No GPU is used: {reason}</source>
        <translation>Aucun GPU n&apos;est utilisé : {reason}</translation>
    </message>
    <message>
        <source>No GPU is used: there is no NVIDIA driver on this computer.</source>
        <translation>Aucun GPU n&apos;est utilisé : cet ordinateur n&apos;a pas de pilote NVIDIA.</translation>
    </message>
    <message>
        <source>No GPU is used: the libtorch that ggpfn runs on sees none that it can work with.</source>
        <translation>Aucun GPU n&apos;est utilisé : la libtorch de ggpfn n&apos;en voit aucun avec lequel elle sait travailler.</translation>
    </message>
    <message>
        <source>It runs in this process.</source>
        <translation>Le calcul se fait dans ce processus.</translation>
    </message>
    <message>
        <source>It runs in a separate process, the program ggpfn. {reason}</source>
        <translation>Le calcul se fait dans un processus séparé, le programme ggpfn. {reason}</translation>
    </message>
    <message>
        <source>libtorch {version}.</source>
        <translation>libtorch {version}.</translation>
    </message>
    <message>
        <source>each scan&apos;s own</source>
        <translation>celui de chaque scanner</translation>
    </message>
    <message>
        <source>Views: {views}, {parameters:,} parameters each</source>
        <translation>Vues : {views}, {parameters:,} paramètres chacune</translation>
    </message>
    <message>
        <source>{slices} slices for one, {fusion}, {guidance}</source>
        <translation>{slices} coupes pour une, {fusion}, {guidance}</translation>
    </message>
    <message>
        <source>fused progressively</source>
        <translation>fusion progressive</translation>
    </message>
    <message>
        <source>fused at once</source>
        <translation>fusion en une fois</translation>
    </message>
    <message>
        <source>global guidance</source>
        <translation>guidage global</translation>
    </message>
    <message>
        <source>no global guidance</source>
        <translation>sans guidage global</translation>
    </message>
    <message>
        <source>Spacing: {spacing}; window {low:g} to {high:g} HU; threshold {threshold:g}</source>
        <translation>Espacement : {spacing} ; fenêtre de {low:g} à {high:g} HU ; seuil {threshold:g}</translation>
    </message>
    <message>
        <source>SHA-256: {hash}</source>
        <translation>SHA-256 : {hash}</translation>
    </message>
    <message>
        <source>For research only, not for clinical use.</source>
        <translation>Pour la recherche seulement, pas pour l&apos;usage clinique.</translation>
    </message>
    <message>
        <source>Trained on synthetic CTs and parts of real ones; on real CTs its predecessor reached a mean Dice of {dice} (0.00 to 0.83).</source>
        <translation>Entraîné sur des scanners synthétiques et des parties de scanners réels ; sur des scanners réels, son prédécesseur a atteint un Dice moyen de {dice} (0,00 à 0,83).</translation>
    </message>
    <message>
        <source>Untrained</source>
        <translation>Non entraîné</translation>
    </message>
    <message>
        <source>Trained by ggpfn {version}</source>
        <translation>Entraîné par ggpfn {version}</translation>
    </message>
    <message>
        <source>{low} to {high} cases</source>
        <translation>{low} à {high} cas</translation>
    </message>
    <message>
        <source>{low} cases</source>
        <translation>{low} cas</translation>
    </message>
    <message>
        <source>validation Dice {low:.2f} to {high:.2f}</source>
        <translation>Dice de validation {low:.2f} à {high:.2f}</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.errors</name>
    <message>
        <source>The library of ggpfn was not found. Install the extension again, or name the folder that has it under Advanced, Library.

{reason}</source>
        <translation>La bibliothèque de ggpfn n&apos;a pas été trouvée. Réinstallez l&apos;extension, ou indiquez son dossier sous Avancé, Bibliothèque.

{reason}</translation>
    </message>
    <message>
        <source>The library of ggpfn cannot be used here. Install the version that belongs to this extension, and the program ggpfn beside it, which works in a process of its own.

{reason}</source>
        <translation>La bibliothèque de ggpfn ne peut pas être utilisée ici. Installez la version qui va avec cette extension et, à côté, le programme ggpfn, qui travaille dans son propre processus.

{reason}</translation>
    </message>
    <message>
        <source>The model cannot be used. Choose another file, or the model that is shipped.

{reason}</source>
        <translation>Le modèle ne peut pas être utilisé. Choisissez un autre fichier, ou le modèle fourni.

{reason}</translation>
    </message>
    <message>
        <source>There is not enough memory. Choose a region of interest, crop to the body, use fewer views, or tick patches under Advanced.

{reason}</source>
        <translation>La mémoire ne suffit pas. Choisissez une région d&apos;intérêt, limitez l&apos;étendue au corps, utilisez moins de vues, ou cochez les carreaux sous Avancé.

{reason}</translation>
    </message>
    <message>
        <source>The volume cannot be segmented.

{reason}</source>
        <translation>Le volume ne peut pas être segmenté.

{reason}</translation>
    </message>
    <message>
        <source>The program ggpfn ended before its work was done; the system may have stopped it for lack of memory. Press Apply to start it again, with a smaller region if this comes back.

{reason}</source>
        <translation>Le programme ggpfn s&apos;est arrêté avant la fin de son travail ; le système l&apos;a peut-être arrêté faute de mémoire. Appuyez sur Appliquer pour le relancer, avec une région plus petite si cela se reproduit.

{reason}</translation>
    </message>
    <message>
        <source>A file cannot be read or written: {reason}</source>
        <translation>Un fichier ne peut pas être lu ou écrit : {reason}</translation>
    </message>
    <message>
        <source>The module has a fault: {reason}. Please report it with the lines of the error log.</source>
        <translation>Le module a un défaut : {reason}. Veuillez le signaler avec les lignes du journal des erreurs.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.measurements</name>
    <message>
        <source>Measurement</source>
        <translation>Mesure</translation>
    </message>
    <message>
        <source>Value</source>
        <translation>Valeur</translation>
    </message>
    <message>
        <source>Volume (mL)</source>
        <translation>Volume (ml)</translation>
    </message>
    <message>
        <source>Mean (HU)</source>
        <translation>Moyenne (HU)</translation>
    </message>
    <message>
        <source>Standard deviation (HU)</source>
        <translation>Écart type (HU)</translation>
    </message>
    <message>
        <source>Bounding box (mm)</source>
        <translation>Boîte englobante (mm)</translation>
    </message>
    <message>
        <source>Centre R, A, S (mm)</source>
        <translation>Centre R, A, S (mm)</translation>
    </message>
    <message>
        <source>Connected components</source>
        <translation>Composantes connexes</translation>
    </message>
    <message>
        <source>Voxels</source>
        <translation>Voxels</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>Seuil</translation>
    </message>
    <message>
        <source>edited by hand</source>
        <translation>modifié à la main</translation>
    </message>
    <message>
        <source>Agreement {views} (Dice)</source>
        <translation>Accord {views} (Dice)</translation>
    </message>
    <message>
        <source>Computed on</source>
        <translation>Calculé sur</translation>
    </message>
    <message>
        <source>Dice</source>
        <translation>Dice</translation>
    </message>
    <message>
        <source>Jaccard</source>
        <translation>Jaccard</translation>
    </message>
    <message>
        <source>Precision</source>
        <translation>Précision</translation>
    </message>
    <message>
        <source>Recall</source>
        <translation>Rappel</translation>
    </message>
    <message>
        <source>Volume of the truth (mL)</source>
        <translation>Volume de la vérité (ml)</translation>
    </message>
    <message>
        <source>Difference of volumes (%)</source>
        <translation>Différence des volumes (%)</translation>
    </message>
    <message>
        <source>95 % surface distance (mm)</source>
        <translation>95 % des distances des surfaces (mm)</translation>
    </message>
    <message>
        <source>Mean surface distance (mm)</source>
        <translation>Distance moyenne des surfaces (mm)</translation>
    </message>
    <message>
        <source>The segment is empty.</source>
        <translation>Le segment est vide.</translation>
    </message>
    <message>
        <source>No pancreas was found at a threshold of {threshold:.2f}; try a lower one.</source>
        <translation>Aucun pancréas n&apos;a été trouvé au seuil de {threshold:.2f} ; essayez-en un plus bas.</translation>
    </message>
    <message>
        <source>{volume:.1f} mL, {hu:.0f} HU on average</source>
        <translation>{volume:.1f} ml, {hu:.0f} HU en moyenne</translation>
    </message>
    <message>
        <source>Expected Dice {dice:.2f}</source>
        <translation>Dice attendu {dice:.2f}</translation>
    </message>
    <message>
        <source>{text} at the threshold of {threshold:.2f}</source>
        <translation>{text} au seuil de {threshold:.2f}</translation>
    </message>
    <message>
        <source>Doubtful, look before you use it. {text}</source>
        <translation>Douteux, à regarder avant de l&apos;utiliser. {text}</translation>
    </message>
    <message>
        <source>Of the mask before it was edited by hand</source>
        <translation>Du masque avant sa modification à la main</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel</name>
    <message>
        <source>Pancreas Segmentation</source>
        <translation>Segmentation du pancréas</translation>
    </message>
    <message>
        <source>{volume:.1f} mL</source>
        <translation>{volume:.1f} ml</translation>
    </message>
    <message>
        <source>Model file</source>
        <translation>Fichier de modèle</translation>
    </message>
    <message>
        <source>Models (*.safetensors)</source>
        <translation>Modèles (*.safetensors)</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatique</translation>
    </message>
    <message>
        <source>This process</source>
        <translation>Ce processus</translation>
    </message>
    <message>
        <source>A separate process</source>
        <translation>Un processus séparé</translation>
    </message>
    <message>
        <source>Folder of the library of ggpfn</source>
        <translation>Dossier de la bibliothèque de ggpfn</translation>
    </message>
    <message>
        <source>Needs about {need} of memory</source>
        <translation>Demande environ {need} de mémoire</translation>
    </message>
    <message>
        <source>, of {free} that are free</source>
        <translation>, sur {free} libres</translation>
    </message>
    <message>
        <source>, and {need} on the GPU</source>
        <translation>, et {need} sur le GPU</translation>
    </message>
    <message>
        <source>That is too little: choose a smaller region or fewer views.</source>
        <translation>C&apos;est trop peu : choisissez une région plus petite ou moins de vues.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel_result</name>
    <message>
        <source>The segment was edited by hand, so the threshold leaves it alone.</source>
        <translation>Le segment a été modifié à la main, le seuil n&apos;y touche donc pas.</translation>
    </message>
    <message>
        <source>The measurements are of the mask before.</source>
        <translation>Les mesures sont celles du masque d&apos;avant.</translation>
    </message>
    <message>
        <source>Export as DICOM SEG</source>
        <translation>Exporter en DICOM SEG</translation>
    </message>
    <message>
        <source>DICOM files (*.dcm)</source>
        <translation>Fichiers DICOM (*.dcm)</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.panel_sections</name>
    <message>
        <source>Click on one corner of the region in a slice, then on the opposite one.</source>
        <translation>Cliquez sur un coin de la région dans une coupe, puis sur le coin opposé.</translation>
    </message>
    <message>
        <source>Region</source>
        <translation>Région</translation>
    </message>
    <message>
        <source>Folder of scans</source>
        <translation>Dossier des scanners</translation>
    </message>
    <message>
        <source>Folder to write to</source>
        <translation>Dossier où écrire</translation>
    </message>
    <message>
        <source>Volume</source>
        <translation>Volume</translation>
    </message>
    <message>
        <source>Corrected</source>
        <translation>Corrigée</translation>
    </message>
    <message>
        <source>Choose a volume and its corrected segmentation first.</source>
        <translation>Choisissez d&apos;abord un volume et sa segmentation corrigée.</translation>
    </message>
    <message>
        <source>New model</source>
        <translation>Nouveau modèle</translation>
    </message>
    <message>
        <source>Models (*.safetensors)</source>
        <translation>Modèles (*.safetensors)</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.parameters</name>
    <message>
        <source>axial</source>
        <translation>axiale</translation>
    </message>
    <message>
        <source>sagittal</source>
        <translation>sagittale</translation>
    </message>
    <message>
        <source>coronal</source>
        <translation>coronale</translation>
    </message>
    <message>
        <source>Whole volume</source>
        <translation>Volume entier</translation>
    </message>
    <message>
        <source>Crop to the body</source>
        <translation>Limiter au corps</translation>
    </message>
    <message>
        <source>Region of interest</source>
        <translation>Région d&apos;intérêt</translation>
    </message>
    <message>
        <source>Shipped with ggpfn</source>
        <translation>Fourni avec ggpfn</translation>
    </message>
    <message>
        <source>A file of my own</source>
        <translation>Un fichier à moi</translation>
    </message>
    <message>
        <source>Automatic</source>
        <translation>Automatique</translation>
    </message>
    <message>
        <source>Processor (CPU)</source>
        <translation>Processeur (CPU)</translation>
    </message>
    <message>
        <source>Graphics card (GPU)</source>
        <translation>Carte graphique (GPU)</translation>
    </message>
    <message>
        <source>32 bits, exact</source>
        <translation>32 bits, exact</translation>
    </message>
    <message>
        <source>16 bits, fast</source>
        <translation>16 bits, rapide</translation>
    </message>
    <message>
        <source>Volumes of the scene</source>
        <translation>Volumes de la scène</translation>
    </message>
    <message>
        <source>A sequence</source>
        <translation>Une séquence</translation>
    </message>
    <message>
        <source>Files in a folder</source>
        <translation>Fichiers d&apos;un dossier</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.remedies</name>
    <message>
        <source>Replace the voxels of {name} that are not numbers by air, {hu} HU? Its file stays as it is.</source>
        <translation>Remplacer les voxels de {name} qui ne sont pas des nombres par de l’air, {hu} HU ? Le fichier reste tel quel.</translation>
    </message>
    <message>
        <source>Go on with patches of 256 x 256, which take less of the GPU&apos;s memory?</source>
        <translation>Continuer avec des carreaux de 256 x 256, qui prennent moins de la mémoire du GPU ?</translation>
    </message>
    <message>
        <source>Go on with the processor instead of the GPU? It takes longer.</source>
        <translation>Continuer avec le processeur au lieu du GPU ? Cela prend plus de temps.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.rest</name>
    <message>
        <source>Measuring {name}</source>
        <translation>Mesure de {name}</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted during the measurement.</source>
        <translation>Le volume ou la segmentation a été supprimé pendant la mesure.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.scene_input</name>
    <message>
        <source>Choose a CT volume first.</source>
        <translation>Choisissez d&apos;abord un volume TDM.</translation>
    </message>
    <message>
        <source>{name} is a label map; choose the CT itself.</source>
        <translation>{name} est une carte de labels ; choisissez le scanner lui-même.</translation>
    </message>
    <message>
        <source>{name} has no voxels; load it again.</source>
        <translation>{name} n&apos;a pas de voxels ; chargez-le à nouveau.</translation>
    </message>
    <message>
        <source>{name} has {count} numbers at each voxel: a colour image, or a 4D scan that was loaded as one volume. Load it as a volume sequence, and choose one of its volumes here, or all under Batch.</source>
        <translation>{name} a {count} nombres par voxel : une image en couleurs, ou une acquisition 4D chargée comme un seul volume. Chargez-la comme séquence de volumes, et choisissez ici l&apos;un de ses volumes, ou tous sous Lot.</translation>
    </message>
    <message>
        <source>{name} has a spacing of {spacing} mm; set it in the module Volumes, under Volume Information.</source>
        <translation>{name} a un espacement de {spacing} mm ; réglez-le dans le module Volumes, sous Volume Information.</translation>
    </message>
    <message>
        <source>The axes of {name} are not perpendicular, as with a tilted gantry. Resample it by the module Crop Volume, with interpolation, and choose the volume that it makes.</source>
        <translation>Les axes de {name} ne sont pas perpendiculaires, comme avec un statif incliné. Rééchantillonnez-le par le module Crop Volume, avec interpolation, et choisissez le volume obtenu.</translation>
    </message>
    <message>
        <source>{name} is only {count} slices thick; the result will be poor.</source>
        <translation>{name} n&apos;a que {count} coupes d&apos;épaisseur ; le résultat sera mauvais.</translation>
    </message>
    <message>
        <source>{name} has no value below -200, as air has in Hounsfield units. Is it a CT?</source>
        <translation>{name} n&apos;a pas de valeur inférieure à -200, comme l&apos;air en a en unités Hounsfield. Est-ce un scanner ?</translation>
    </message>
    <message>
        <source>No body was found: nothing in the volume is denser than air. Use the whole volume.</source>
        <translation>Aucun corps n&apos;a été trouvé : rien dans le volume n&apos;est plus dense que l&apos;air. Utilisez le volume entier.</translation>
    </message>
    <message>
        <source>Choose a region of interest, or place one around the upper abdomen.</source>
        <translation>Choisissez une région d&apos;intérêt, ou placez-en une autour du haut de l&apos;abdomen.</translation>
    </message>
    <message>
        <source>The region of interest lies outside of the volume; move it onto the upper abdomen.</source>
        <translation>La région d&apos;intérêt est hors du volume ; déplacez-la sur le haut de l&apos;abdomen.</translation>
    </message>
    <message>
        <source>{name} cannot be brought onto the grid of {volume}; do they belong together?</source>
        <translation>{name} ne peut pas être mis sur la grille de {volume} ; vont-ils ensemble ?</translation>
    </message>
    <message>
        <source>{name} has no segments.</source>
        <translation>{name} n&apos;a pas de segments.</translation>
    </message>
    <message>
        <source>{name} has {count} segments, and none is called pancreas; rename the one that is meant.</source>
        <translation>{name} a {count} segments, et aucun ne s&apos;appelle pancreas ; renommez celui qui convient.</translation>
    </message>
    <message>
        <source>{path} is missing or is no image that Slicer can read.</source>
        <translation>{path} manque ou n&apos;est pas une image que Slicer sache lire.</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.scene_output</name>
    <message>
        <source>{name} pancreas</source>
        <translation>{name} pancréas</translation>
    </message>
    <message>
        <source>pancreas</source>
        <translation>pancréas</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.segmenting</name>
    <message>
        <source>Tick at least one view under Advanced.</source>
        <translation>Cochez au moins une vue sous Avancé.</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>Choisissez un fichier de modèle, ou le modèle fourni.</translation>
    </message>
    <message>
        <source>Segmenting {name}</source>
        <translation>Segmentation de {name}</translation>
    </message>
    <message>
        <source>{name} uncertainty</source>
        <translation>{name} incertitude</translation>
    </message>
    <message>
        <source>{name} probability</source>
        <translation>{name} probabilité</translation>
    </message>
    <message>
        <source>{name} measurements</source>
        <translation>{name} mesures</translation>
    </message>
    <message>
        <source>{old} was edited by hand and stays as it is; the result is in {new}.</source>
        <translation>{old} a été modifiée à la main et reste telle quelle ; le résultat est dans {new}.</translation>
    </message>
    <message>
        <source>The model has the views {views} alone; tick one of them under Advanced.</source>
        <translation>Le modèle n&apos;a que les vues {views} ; cochez l&apos;une d&apos;elles sous Avancé.</translation>
    </message>
    <message>
        <source>All weights of the views are 0; give one of them a weight under Advanced.</source>
        <translation>Tous les poids des vues sont 0 ; donnez un poids à l&apos;une d&apos;elles sous Avancé.</translation>
    </message>
    <message>
        <source>Choose the segmentation that is to be measured under Result.</source>
        <translation>Choisissez sous Résultat la segmentation à mesurer.</translation>
    </message>
    <message>
        <source>Measuring {name}</source>
        <translation>Mesure de {name}</translation>
    </message>
    <message>
        <source>The volume or the segmentation was deleted during the measurement.</source>
        <translation>Le volume ou la segmentation a été supprimé pendant la mesure.</translation>
    </message>
    <message>
        <source>Looking at the library</source>
        <translation>Interrogation de la bibliothèque</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.tasks</name>
    <message>
        <source>Cancelled.</source>
        <translation>Annulé.</translation>
    </message>
    <message>
        <source>Cancelled, since the scene was closed.</source>
        <translation>Annulé, car la scène a été fermée.</translation>
    </message>
    <message>
        <source>The volume was deleted during the work, so the result was dropped. Choose another volume.</source>
        <translation>Le volume a été supprimé pendant le travail, le résultat est donc abandonné. Choisissez un autre volume.</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>Lecture</translation>
    </message>
    <message>
        <source>Resampling</source>
        <translation>Rééchantillonnage</translation>
    </message>
    <message>
        <source>Axial view</source>
        <translation>Vue axiale</translation>
    </message>
    <message>
        <source>Sagittal view</source>
        <translation>Vue sagittale</translation>
    </message>
    <message>
        <source>Coronal view</source>
        <translation>Vue coronale</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>Résultat</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>Démarrage</translation>
    </message>
    <message>
        <source>{phase}: {percent:.0f} %</source>
        <translation>{phase} : {percent:.0f} %</translation>
    </message>
    <message>
        <source>{minutes}:{seconds:02} left</source>
        <translation>encore {minutes}:{seconds:02}</translation>
    </message>
</context>
<context>
    <name>PancreasSegmentationLib.training</name>
    <message>
        <source>loss</source>
        <translation>perte</translation>
    </message>
    <message>
        <source>validation Dice</source>
        <translation>Dice de validation</translation>
    </message>
    <message>
        <source>Add at least one pair of a volume and its corrected segmentation.</source>
        <translation>Ajoutez au moins une paire d&apos;un volume et de sa segmentation corrigée.</translation>
    </message>
    <message>
        <source>Choose a model file, or the model that is shipped.</source>
        <translation>Choisissez un fichier de modèle, ou le modèle fourni.</translation>
    </message>
    <message>
        <source>Add a second pair to validate on, or untick the validation.</source>
        <translation>Ajoutez une deuxième paire pour valider, ou décochez la validation.</translation>
    </message>
    <message>
        <source>Fine-tuning</source>
        <translation>Affinage</translation>
    </message>
    <message>
        <source>The new model is in {path} and is chosen now.</source>
        <translation>Le nouveau modèle est dans {path} et il est maintenant choisi.</translation>
    </message>
    <message>
        <source>Validation Dice {low:.2f} to {high:.2f}.</source>
        <translation>Dice de validation {low:.2f} à {high:.2f}.</translation>
    </message>
    <message>
        <source>A volume of the training was deleted, so the training was stopped.</source>
        <translation>Un volume de l&apos;entraînement a été supprimé, l&apos;entraînement est donc arrêté.</translation>
    </message>
    <message>
        <source>step</source>
        <translation>pas</translation>
    </message>
    <message>
        <source>{name} has no pancreas within {volume}; correct the pair.</source>
        <translation>{name} n&apos;a pas de pancréas dans {volume} ; corrigez la paire.</translation>
    </message>
</context>
<context>
    <name>qSlicerAbstractCoreModule</name>
    <message>
        <source>Segmentation</source>
        <translation>Segmentation</translation>
    </message>
</context>
</TS>
